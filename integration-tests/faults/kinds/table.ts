import type { Fault } from '../fault.ts';
import { services } from '../swarm.ts';
import { broker } from './broker.ts';
import { clock } from './clock.ts';
import { compaction } from './compaction.ts';
import { brokerDiskFull, workspaceDiskFull } from './disk-full.ts';
import { databaseGone, registryGone } from './gone.ts';
import { killOf } from './kill.ts';
import { killPoints } from './kill-points.ts';
import { lostAnswers } from './lost-answers.ts';
import { lostSends } from './lost-sends.ts';
import { networkDead, networkSlow } from './network.ts';
import { none } from './none.ts';
import { repeatedReports } from './repeated-reports.ts';
import { scale } from './scale.ts';
import { zombie } from './zombie.ts';

/** All faults, in the order in which they are tried. */
export const faults: readonly Fault[] = [
  none,
  ...services.map((service) => killOf(service)),
  killPoints,
  zombie,
  broker,
  lostAnswers,
  lostSends,
  repeatedReports,
  networkDead,
  networkSlow,
  scale,
  registryGone,
  databaseGone,
  brokerDiskFull,
  workspaceDiskFull,
  compaction,
  clock,
];

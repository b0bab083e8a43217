import type { BrokerCount } from '#local/brokers.ts';
import type { Fault } from '../fault.ts';
import type { Form } from '../figures.ts';
import { services } from '../swarm.ts';
import { broker } from './broker.ts';
import { clock } from './clock.ts';
import { compaction } from './compaction.ts';
import { brokerDiskFull, workspaceDiskFull } from './disk-full.ts';
import { databaseGone, registryGone } from './gone.ts';
import { killOf } from './kill.ts';
import { brokerGone, killBroker, minIsrLost } from './kill-broker.ts';
import { killPoints } from './kill-points.ts';
import { leaderFrozen } from './leader-frozen.ts';
import { leadersMoved } from './leaders-moved.ts';
import { lostAnswers } from './lost-answers.ts';
import { lostSends } from './lost-sends.ts';
import { networkDead, networkSlow } from './network.ts';
import { none } from './none.ts';
import { quiet } from './quiet.ts';
import { repeatedReports } from './repeated-reports.ts';
import { rollingRestart } from './rolling-restart.ts';
import { scale } from './scale.ts';
import { zombie } from './zombie.ts';

/** Of a broker that is the only one. */
const ofOne = [broker, brokerDiskFull];
/** Of several brokers. */
const ofSeveral = [quiet, rollingRestart, killBroker, leadersMoved, leaderFrozen, brokerGone, minIsrLost];

/** All with one broker, in the order in which they are tried. */
const withOne: readonly Fault[] = [
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

/** All with several: those of services, too. */
const withSeveral: readonly Fault[] = [
  ...ofSeveral,
  lostAnswers,
  ...withOne.filter((fault) => fault !== none && fault !== lostAnswers && !ofOne.includes(fault)),
];

/** What is tried on a cluster unless told; the others have been on one broker. */
const usualOfServices = ['kill-orchestrator', 'kill-worker', 'zombie'];
/** One after the other in less than four minutes. */
const inCi = [killBroker, leadersMoved, leaderFrozen, lostAnswers];

export const allFaults = (brokers: BrokerCount): readonly Fault[] => (brokers === 1 ? withOne : withSeveral);

export function usualFaults(brokers: BrokerCount, form: Form): readonly Fault[] {
  if (brokers === 1) return withOne.filter(({ long }) => form === 'whole' || long !== true);
  if (form === 'ci') return inCi;
  return withSeveral.filter(
    (fault) => ofSeveral.includes(fault) || fault === lostAnswers || usualOfServices.includes(fault.name),
  );
}

import {
  decided,
  emission,
  emits,
  handedOff,
  joined,
  joins,
  pauses,
  provides,
  reacted,
  requests,
  requires,
  saves,
  settled,
  shares,
} from './coordination-scenario.ts';
import type { Input } from './input.ts';
import type { MissionState } from './state.ts';

/** Roles of the tasks that reactions ask for, but for one. */
export const reactionRoles = ['q0_role', 'q1_role', 'q2_role', 'q3_role'];

/** What one agent says to others, or a reaction reports. */
export function coordination(
  pick: number,
  {
    state,
    id,
    which,
    reported,
    now,
  }: {
    readonly state: MissionState;
    readonly id: string;
    readonly which: { attempt: number; lease: number };
    readonly reported: number;
    readonly now: number;
  },
): Input {
  const salt = Math.floor(pick / 16);
  const step = reported + (salt % 4);
  const join = `j${salt % 7}`;
  const open = state.joins[salt % Math.max(1, state.joins.length)]?.aggregation ?? join;
  switch (pick % 16) {
    case 0:
      return handedOff(id, ['t0_role', 'q0_role', 'nobody'][salt % 3] ?? '', which);
    case 1:
    case 2:
    case 3:
      return requires(id, `d${salt % 3}`, which, step);
    case 4:
    case 5:
      return provides(id, `d${salt % 3}`, 'v'.repeat(salt % 30), which, step);
    case 6:
      return decided(id, which, step);
    case 7:
      return saves(id, 'c'.repeat(salt % 30), which, step);
    case 8:
      return shares(id, `s${salt % 3}`, 'x'.repeat(salt % 30), which, step);
    case 9:
      return salt % 2 === 0 ? emits(id, 'said', which, step) : emission('told');
    case 10:
    case 11: {
      const needs = salt % 5 === 0 && id !== 'nobody' ? [id] : [];
      return requests(salt % 7 === 0 ? 'plan' : `q${salt % 5}`, {
        hops: salt % 6,
        needs,
        partial: salt % 2 === 0,
      });
    }
    case 12:
      return salt % 2 === 0 ? pauses() : reacted('met', salt % 6);
    case 13:
      return joins(join, salt % 2 === 0 ? 0 : now + 50 + state.sequence);
    case 14:
      return joined(
        salt % 5 === 0 ? join : open,
        salt % 2 === 0 ? 'aggregation_completed' : 'aggregation_timed_out',
      );
    default:
      return settled(state.sequence - (salt % 3 === 0 ? 1 : 0));
  }
}

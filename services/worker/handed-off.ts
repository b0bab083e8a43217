import { Failure } from '#chassis/failures.ts';

export const handOffTool = 'hand_off';

/** To whom a task is passed on, and with what. */
export interface HandOff {
  readonly to_role: string;
  readonly context: string;
  readonly reason: string;
}

/** The agent has passed its task on: the attempt ends with the report `agent_handoff`, and nothing after it is done. */
export class HandedOff extends Error {
  readonly handOff: HandOff;
  readonly step: number;

  constructor(handOff: HandOff, step: number) {
    super(`handed off to ${handOff.to_role}`);
    this.name = 'HandedOff';
    this.handOff = handOff;
    this.step = step;
  }
}

/** As the outcome of the call holds it, so that a resume ends in the same way. */
export const handOffText = ({ to_role, context, reason }: HandOff): string =>
  JSON.stringify({ to_role, context, reason });

/** What `handOffText` wrote. Throws `ledger_broken` for anything else. */
export function handOffIn(text: string): HandOff {
  const found: unknown = JSON.parse(text);
  const of = (field: string): string => {
    const value: unknown = typeof found === 'object' && found !== null ? Reflect.get(found, field) : null;
    if (typeof value === 'string') return value;
    throw new Failure('ledger_broken', `journal: found a hand-off without ${field}`);
  };
  return { to_role: of('to_role'), context: of('context'), reason: of('reason') };
}

import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Failure } from '#chassis/failures.ts';

export interface Options {
  readonly seed: number;
  readonly short: boolean;
  readonly json: boolean;
  /** Only these faults; empty: all. */
  readonly only: readonly string[];
  /** Only missions of these shapes; empty: all in turn. */
  readonly shapes: readonly string[];
  /** At least so many in the whole campaign. */
  readonly missions: number;
  /** How often what is done again and again is done. */
  readonly times: number;
  /** Write docs/reliability.md. */
  readonly write: boolean;
  /** Try this broken version of the code, or `all` of them, and expect to fail. */
  readonly broken: string | null;
  /** How long after a fault a mission may take to end before it counts as stuck; seconds. */
  readonly patience: number;
  readonly keep: boolean;
  /** Write the history of the campaign to this file; null: do not. */
  readonly record: string | null;
  /** Ends with the first fault after which something is wrong. */
  readonly first: boolean;
}

export const usage = `npm run test:faults [-- OPTIONS]

  --short            the short form, under five minutes
  --seed N           the same choices as another run had
  --only A,B         only these faults
  --shapes A,B       only missions of these shapes
  --missions N       at least so many missions (200, short: 40)
  --times N          kills of each service, zombies, lost answers of each request (20, short: 2)
  --json             figures as JSON
  --write            write docs/reliability.md
  --broken A,B|all  take one protection out of the code, or each in turn, and see the campaign fail
  --patience S       seconds after a fault until a mission counts as stuck (180)
  --first            end with the first fault after which something is wrong
  --record FILE      write the ledger of the campaign to a file, as a golden history
  --keep             keep the folder with logs and workspaces
`;

/** Throws Failure `invalid_arguments`. */
export function parseOptions(args: readonly string[]): Options {
  let values: ReturnType<typeof parse>['values'];
  try {
    ({ values } = parse(args));
  } catch (error) {
    throw new Failure(
      'invalid_arguments',
      `${error instanceof Error ? error.message : String(error)}\n${usage}`,
    );
  }
  const { short } = values;
  return {
    seed: whole('--seed', values.seed, randomInt(1, 1_000_000)),
    short,
    json: values.json,
    only: values.only?.split(',').filter((name) => name !== '') ?? [],
    shapes: values.shapes?.split(',').filter((name) => name !== '') ?? [],
    missions: whole('--missions', values.missions, short ? 40 : 200),
    times: whole('--times', values.times, short ? 2 : 20),
    write: values.write,
    broken: values.broken ?? null,
    patience: whole('--patience', values.patience, short ? 90 : 180),
    keep: values.keep,
    record: values.record ?? null,
    first: values.first,
  };
}

const parse = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    options: {
      short: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      first: { type: 'boolean', default: false },
      seed: { type: 'string' },
      only: { type: 'string' },
      shapes: { type: 'string' },
      missions: { type: 'string' },
      times: { type: 'string' },
      broken: { type: 'string' },
      patience: { type: 'string' },
      record: { type: 'string' },
    },
  });

function whole(name: string, given: string | undefined, fallback: number): number {
  if (given === undefined) return fallback;
  const found = Number(given);
  if (!Number.isSafeInteger(found) || found < 1)
    throw new Failure('invalid_arguments', `${name}: found ${given}, expected a whole number from 1 on`);
  return found;
}

import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Failure } from '#chassis/failures.ts';
import { type BrokerCount, brokerCounts } from '#local/brokers.ts';
import type { Form } from './figures.ts';

export interface Options {
  readonly seed: number;
  readonly brokers: BrokerCount;
  /** How much: `whole` for the record, `short` for every change, `ci` shorter still, on three brokers. */
  readonly form: Form;
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

  --brokers N        1 (default) or 3, with the faults that only several brokers can have
  --short            the short form: under five minutes, with three brokers under fifteen
  --ci               three brokers, four faults once each, under four minutes
  --seed N           the same choices as another run had
  --only A,B         only these faults
  --shapes A,B       only missions of these shapes
  --missions N       at least so many missions (200, short: 40; three brokers 1,000 and 100, ci 30)
  --times N          kills of each service, zombies, lost answers of each request, injections of each
                     fault of a cluster (20, three brokers 30, short 2, ci 1)
  --json             figures as JSON
  --write            write docs/reliability.md
  --broken A,B|all  take one protection out of the code, or each in turn, and see the campaign fail
  --patience S       seconds after a fault until a mission counts as stuck (180, short and ci 90)
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
  const form: Form = values.ci ? 'ci' : values.short ? 'short' : 'whole';
  const brokers = brokersIn(values.brokers, form === 'ci' ? 3 : 1);
  const usual = defaults[brokers === 1 ? 'one' : 'three'][form];
  return {
    seed: whole('--seed', values.seed, randomInt(1, 1_000_000)),
    brokers,
    form,
    json: values.json,
    only: values.only?.split(',').filter((name) => name !== '') ?? [],
    shapes: values.shapes?.split(',').filter((name) => name !== '') ?? [],
    missions: whole('--missions', values.missions, usual.missions),
    times: whole('--times', values.times, usual.times),
    write: values.write,
    broken: values.broken ?? null,
    patience: whole('--patience', values.patience, usual.patience),
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
      ci: { type: 'boolean', default: false },
      brokers: { type: 'string' },
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

const defaults = {
  one: {
    whole: { missions: 200, times: 20, patience: 180 },
    short: { missions: 40, times: 2, patience: 90 },
    ci: { missions: 20, times: 1, patience: 90 },
  },
  three: {
    whole: { missions: 1000, times: 30, patience: 180 },
    short: { missions: 100, times: 2, patience: 90 },
    ci: { missions: 30, times: 1, patience: 90 },
  },
};

function brokersIn(given: string | undefined, fallback: BrokerCount): BrokerCount {
  if (given === undefined) return fallback;
  const found = brokerCounts.find((count) => String(count) === given);
  if (found === undefined)
    throw new Failure(
      'invalid_arguments',
      `--brokers: found ${given}, expected ${brokerCounts.join(' or ')}`,
    );
  return found;
}

function whole(name: string, given: string | undefined, fallback: number): number {
  if (given === undefined) return fallback;
  const found = Number(given);
  if (!Number.isSafeInteger(found) || found < 1)
    throw new Failure('invalid_arguments', `${name}: found ${given}, expected a whole number from 1 on`);
  return found;
}

import { Failure } from '#chassis/failures.ts';
import { evolve } from '#orchestrator/evolve.ts';
import { type FactEvent, isFact } from '#orchestrator/facts.ts';
import { fromRecords, type MissionState, missionHasEnded, taskHasEnded } from '#orchestrator/state.ts';
import { bodyHash, type Codec } from '#schemas/codec.ts';
import type { Event } from '#schemas/types.gen.ts';
import { type Changes, keyOf } from './changes.ts';
import type { Client } from './database.ts';
import { decoded, type Fold, type FoldedBatch, putError } from './fold.ts';
import { budgetRow, reviewRow, withdrawnRows } from './review-rows.ts';
import { attemptRow, missionRow, noOutcome, type Outcome, outcomeOf, taskRows, timelineRow } from './rows.ts';
import { quoted } from './schema-name.ts';

/** Missions of a partition that stay in memory; the others are read again when a fact comes. */
const mostKnown = 5000;

/** A mission as the tables have it. */
interface Known {
  /** Null once nothing can follow: the mission and all its tasks have ended. */
  readonly state: MissionState | null;
  /** Number of its newest fact; 0: there is none. */
  readonly sequence: number;
}
const unknown: Known = { state: null, sequence: 0 };

/** A mission while a batch is folded. */
interface Folding {
  /** What the tables have of its tasks and its plan. */
  written: MissionState | null;
  state: MissionState | null;
  sequence: number;
  /** The newest fact; null: the batch has none that counts. */
  head: Buffer | null;
  outcome: Outcome;
}

interface ReadFact {
  readonly offset: number;
  readonly fact: FactEvent;
  readonly bytes: Buffer;
}

/** Folds the ledger: the states by `evolve`, as the orchestrator does, and the rows from them. */
export class LedgerFold implements Fold {
  private readonly codec: Codec;
  private readonly schema: string;
  private readonly known = new Map<number, Map<string, Known>>();

  constructor(codec: Codec, schema: string) {
    this.codec = codec;
    this.schema = schema;
  }

  forget(partition: number): void {
    this.known.delete(partition);
  }

  async fold(client: Client, batch: FoldedBatch, changes: Changes): Promise<{ committed(): void }> {
    const facts = this.readFacts(batch, changes);
    const missions = await this.missionsOf(client, batch.partition, facts);
    for (const { offset, fact, bytes } of facts) {
      const mission = missions.get(fact.correlation_id);
      if (mission === undefined) continue;
      try {
        checkSequence(mission, fact, (failure) => putError(changes, batch, offset, failure));
        follow(mission, fact, bytes, { partition: batch.partition, offset }, changes);
      } catch (error) {
        putError(changes, batch, offset, error);
      }
    }
    for (const mission of missions.values()) this.putMission(mission, batch.partition, changes);
    return { committed: () => this.remember(batch.partition, missions) };
  }

  private readFacts(batch: FoldedBatch, changes: Changes): ReadFact[] {
    const facts: ReadFact[] = [];
    for (const record of batch.records) {
      try {
        const { value, bytes } = decoded(this.codec, record);
        const event = value.value;
        if (!('event_type' in event) || value.name === 'MissionCommand' || !isFact(event as Event)) {
          throw new Failure('unexpected_type', `found ${value.name}, expected a fact`);
        }
        facts.push({ offset: record.offset, fact: event as FactEvent, bytes });
      } catch (error) {
        putError(changes, batch, record.offset, error);
      }
    }
    return facts;
  }

  private async missionsOf(
    client: Client,
    partition: number,
    facts: readonly ReadFact[],
  ): Promise<Map<string, Folding>> {
    const ids = new Set(facts.map(({ fact }) => fact.correlation_id));
    const remembered = this.known.get(partition);
    const missing = [...ids].filter((id) => remembered?.has(id) !== true);
    const read = missing.length > 0 ? await this.readKnown(client, missing) : new Map<string, Known>();
    return new Map(
      [...ids].map((id): [string, Folding] => {
        const { state, sequence } = remembered?.get(id) ?? read.get(id) ?? unknown;
        return [id, { written: state, state, sequence, head: null, outcome: noOutcome }];
      }),
    );
  }

  private async readKnown(client: Client, ids: readonly string[]): Promise<Map<string, Known>> {
    interface Row {
      readonly mission_id: string;
      readonly sequence: number;
      readonly state: Buffer | null;
      readonly plan: Buffer | null;
    }
    const schema = quoted(this.schema);
    const { rows } = await client.query<Row>(
      `select mission_id, m.sequence, s.state, s.plan
         from ${schema}.missions m left join ${schema}.mission_states s using (mission_id)
        where mission_id = any($1::text[])`,
      [ids],
    );
    return new Map(
      rows.map(({ mission_id, sequence, state, plan }) => [
        mission_id,
        { sequence, state: state && this.readState(state, plan) },
      ]),
    );
  }

  private readState(state: Buffer, plan: Buffer | null): MissionState {
    const mission = this.codec.decode(state);
    const planned = plan && this.codec.decode(plan);
    if (mission.name !== 'MissionState' || (planned && planned.name !== 'MissionPlan')) {
      throw new Failure('internal_error', `mission_states: found ${mission.name}, expected MissionState`);
    }
    return fromRecords(mission.value, planned && planned.value).state;
  }

  private putMission(mission: Folding, partition: number, changes: Changes): void {
    const { state, head, sequence, outcome } = mission;
    if (state === null || head === null) return;
    const { mission_id } = state;
    const head_hash = bodyHash(head);
    const row = missionRow(state, { partition, sequence, head_hash }, outcome);
    changes.put('missions', mission_id, row);
    const budget = budgetRow(state);
    if (budget !== null) changes.put('mission_budgets', mission_id, budget);
    putTasks(mission, changes);
    if (isSettled(state)) {
      changes.remove('mission_states', mission_id);
      return;
    }
    const { plan, tasks, ...rest } = state;
    const record = { ...rest, sequence, head_hash, waves: row.waves, tasks };
    const planned =
      plan === null || plan === mission.written?.plan
        ? null
        : this.codec.encodeRecord('MissionPlan', { mission_id, tasks: plan.tasks });
    changes.put('mission_states', mission_id, {
      mission_id,
      state: bytea(this.codec.encodeRecord('MissionState', record)),
      plan: planned && bytea(planned),
    });
  }

  private remember(partition: number, missions: ReadonlyMap<string, Folding>): void {
    const known = this.known.get(partition) ?? new Map<string, Known>();
    this.known.set(partition, known);
    for (const [id, { state, sequence }] of missions) {
      known.delete(id);
      if (state !== null && !isSettled(state)) known.set(id, { state, sequence });
    }
    for (const id of known.keys()) {
      if (known.size <= mostKnown) break;
      known.delete(id);
    }
  }
}

/**
 * Throws Failure `ledger_broken` for a fact that was folded before. A gap is only told: the fold goes on behind it, as
 * what follows is worth more to people than nothing, and `verify` is there for proof.
 */
function checkSequence(mission: Folding, fact: FactEvent, gap: (failure: Failure) => void): void {
  const expected = mission.sequence + 1;
  if (fact.sequence === expected) return;
  const found = `found sequence ${fact.sequence}, expected ${expected}`;
  const failure = new Failure(
    'ledger_broken',
    `${fact.event_type} of mission ${fact.correlation_id}: ${found}`,
  );
  if (fact.sequence < expected) throw failure;
  gap(failure);
}

/** Folds one fact in. Throws Failure `ledger_broken`, having changed nothing, for one that cannot follow. */
function follow(
  mission: Folding,
  fact: FactEvent,
  bytes: Buffer,
  place: { readonly partition: number; readonly offset: number },
  changes: Changes,
): void {
  if (mission.state === null && mission.sequence > 0) {
    const found = 'found it after the end of the mission and all its tasks';
    throw new Failure('ledger_broken', `${fact.event_type} of mission ${fact.correlation_id}: ${found}`);
  }
  const before = mission.state;
  const state = evolve(before, fact, fact);
  // Another plan takes the place of the planning: how that ended is in no later state.
  if (before !== null && before.plan !== null && before.plan !== state.plan) putTasks(mission, changes);
  mission.state = state;
  mission.sequence = fact.sequence;
  mission.head = bytes;
  mission.outcome = outcomeOf(fact) ?? mission.outcome;
  changes.put(
    'timeline',
    keyOf(fact.correlation_id, fact.sequence),
    timelineRow(fact, place.partition, place.offset),
  );
  const review = reviewRow(fact);
  if (review !== null) changes.put('reviews', keyOf(review.mission_id, review.review_id), review);
  for (const row of withdrawnRows(before, state, fact)) {
    changes.put('reviews', keyOf(row.mission_id, row.review_id), row);
  }
  const attempt = attemptRow(fact, before);
  if (attempt !== null) {
    changes.put('attempts', keyOf(attempt.mission_id, attempt.task_id, attempt.attempt), attempt);
  }
}

function putTasks(mission: Folding, changes: Changes): void {
  if (mission.state === null) return;
  for (const row of taskRows(mission.state, mission.written)) {
    changes.put('tasks', keyOf(row.mission_id, row.task_id), row);
  }
}

/** No fact can follow: a fact about a task that runs may come after the one that ends its mission. */
function isSettled(state: MissionState): boolean {
  return missionHasEnded(state) && state.tasks.every(taskHasEnded);
}

const bytea = (bytes: Buffer): string => `\\x${bytes.toString('hex')}`;

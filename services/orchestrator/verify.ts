import { asFailure } from '#chassis/failures.ts';
import { type Codec, hashChain, headerLength } from '#schemas/codec.ts';
import { decide } from './decide.ts';
import { difference } from './difference.ts';
import { type FactDraft, type FactEvent, isFact } from './facts.ts';
import type { Decision, Input } from './input.ts';
import { inputBehind } from './inputs.ts';
import { noTail, seal, type Tail } from './ledger.ts';
import { knownRules, namesOfRules } from './rules.ts';
import { takesAsWritten, type WrittenPlan } from './rules-0.ts';
import { type MissionState, missionHasEnded } from './state.ts';
import { inWordsOf, type Words } from './texts.ts';

export type FindingKind =
  | 'undecodable'
  | 'not_a_fact'
  | 'sequence_gap'
  | 'sequence_repeat'
  /** The record's bytes are not those that the next record vouches for. */
  | 'hash_mismatch'
  | 'time_backwards'
  /** The orchestrator would have decided otherwise. */
  | 'decision_differs'
  /** The mission is decided by rules that this version of Ravenhelm does not have: nothing is said of its decisions. */
  | 'rules_unknown'
  /** The ledger ends in the middle of a decision. */
  | 'decision_incomplete'
  /** The ledger ends before, or otherwise than, the head that is known from elsewhere. */
  | 'head_differs';

/** The first thing that is wrong with a mission. */
export interface Finding {
  /** Empty when the record does not tell. */
  readonly mission: string;
  readonly partition: number;
  readonly offset: number;
  readonly sequence: number;
  readonly what: FindingKind;
  readonly expected: string;
  readonly found: string;
}

export interface LedgerRecord {
  readonly bytes: Buffer;
  readonly partition: number;
  readonly offset: number;
  readonly key?: string | null;
}

export interface Summary {
  readonly missions: number;
  readonly ended: number;
  readonly running: number;
  readonly facts: number;
  /** Of rules 0: plans that would be made otherwise now, and are taken as they were written; all else is recomputed. */
  readonly plans_as_written: number;
  /** Facts whose texts for people are worded otherwise now (`texts.ts`). */
  readonly reworded: number;
  /** How many missions are decided by which version of the rules. */
  readonly rules: Readonly<Record<number, number>>;
}

/**
 * Feeds a ledger back: recomputes the hash chain and every decision. Partitions may be fed in any order, each from its
 * beginning. Of each mission only the first finding is reported: what comes after it has no ground to stand on.
 */
export interface Verifier {
  /** The schema of the record has to be loaded: `if (!codec.knows(bytes)) await codec.load(bytes, signal)`. */
  feed(record: LedgerRecord): Finding | null;
  /**
   * Where a mission's ledger is known to end, for instance from its `mission_status`, at the least. Without it nobody
   * can see that the newest input's facts are missing, or that a fact that nothing follows was altered.
   */
  expectHead(mission: string, head: Tail): void;
  /** To be called once, at the end of the ledger. Missions that are still running are no finding. */
  end(): { readonly findings: readonly Finding[]; readonly summary: Summary };
}

interface Place {
  readonly partition: number;
  readonly offset: number;
}

interface Track {
  tail: Tail;
  /** Of the newest fact. */
  place: Place;
  /** Whether the newest fact was compared with a decision; an input's own fact cannot be. */
  derived: boolean;
  /** Null before the first fact, and again after the end: an ended mission costs next to nothing. */
  state: MissionState | null;
  ended: boolean;
  broken: boolean;
  /** What has yet to come of the decision that began. */
  due: readonly FactDraft[];
  /** What that decision was made of, and what has come of it; null: all of it. */
  decided: Decided | null;
  causation_id: string;
  now: number;
}

interface Decided {
  readonly before: MissionState | null;
  readonly input: Input;
  readonly written: WrittenPlan | null;
  readonly facts: FactEvent[];
}

const nowhere: Place = { partition: -1, offset: -1 };

export function createVerifier(codec: Codec): Verifier {
  const tracks = new Map<string, Track>();
  const heads = new Map<string, Tail>();
  let facts = 0;
  let plansAsWritten = 0;
  let reworded = 0;
  const rules: Record<number, number> = {};

  function check(track: Track, fact: FactEvent, { bytes, partition, offset }: LedgerRecord): Finding | null {
    const { correlation_id: mission, sequence } = fact;
    const finding = (what: FindingKind, expected: string, found: string): Finding => ({
      mission,
      partition,
      offset,
      sequence,
      what,
      expected,
      found,
    });
    const next = track.tail.sequence + 1;
    if (sequence > next) return finding('sequence_gap', `sequence ${next}`, `sequence ${sequence}`);
    if (sequence < next) return finding('sequence_repeat', `sequence ${next}`, `sequence ${sequence}`);
    if (fact.previous_hash !== track.tail.hash) {
      if (track.derived || sequence === 1) {
        return finding('hash_mismatch', `previous_hash ${track.tail.hash}`, fact.previous_hash);
      }
      // The record before could not be compared with a decision, so it is the one that is in doubt.
      const doubted = finding('hash_mismatch', `a body of hash ${fact.previous_hash}`, track.tail.hash);
      return { ...doubted, ...track.place, sequence: sequence - 1 };
    }
    if (fact.timestamp < track.now) {
      return finding('time_backwards', `at least ${track.now}`, `${fact.timestamp}`);
    }
    const derived = track.due.length > 0;
    if (!derived) {
      const wrong = unknownRules(fact);
      if (wrong !== null) return finding('rules_unknown', ...wrong);
      const differs = open(track, fact);
      if (differs !== null) return finding('decision_differs', ...differs);
    }
    const [draft] = track.due;
    if (draft === undefined) return finding('decision_differs', 'nothing', fact.event_type);
    const wrong = compare(track, draft, fact, bytes);
    if (wrong !== null && !(derived && isTakenAsItIs(track, draft, fact, bytes))) {
      return finding('decision_differs', ...wrong);
    }
    track.decided?.facts.push(fact);
    track.due = track.due.slice(1);
    if (track.due.length === 0) track.decided = null;
    track.derived = derived;
    track.place = { partition, offset };
    track.tail = hashChain(track.tail, bytes);
    const head = heads.get(mission);
    if (head !== undefined && head.sequence <= sequence) {
      heads.delete(mission);
      if (head.sequence === sequence && head.hash !== track.tail.hash) {
        return finding('head_differs', `a body of hash ${head.hash}`, track.tail.hash);
      }
    }
    return null;
  }

  /** Decides again what the ledger says was decided. */
  function open(track: Track, fact: FactEvent): [expected: string, found: string] | null {
    if (track.ended) return ['nothing after the end of the mission', fact.event_type];
    const input = inputBehind(fact);
    if (input === null) return ['a fact that is an input’s own', fact.event_type];
    try {
      const decision = decide(track.state, input, { now: fact.timestamp });
      if (decision.kind === 'ignored') return [`ignored: ${decision.reason}`, fact.event_type];
      track.decided = { before: track.state, input, written: null, facts: [] };
      track.due = decision.facts;
      track.ended = missionHasEnded(decision.state);
      track.state = decision.state;
    } catch (error) {
      return [`a decision (${asFailure(error).message})`, fact.event_type];
    }
    track.causation_id = fact.causation_id;
    track.now = fact.timestamp;
    return null;
  }

  /** Counts the rules of a mission that begins; what is wrong with them. */
  function unknownRules(fact: FactEvent): [expected: string, found: string] | null {
    if (fact.event_type !== 'mission_accepted') return null;
    const { rules: version } = fact.payload;
    rules[version] = (rules[version] ?? 0) + 1;
    if (knownRules.has(version)) return null;
    const found = `rules ${version}; a version that has them verifies it`;
    return [`rules that this version of Ravenhelm has: ${namesOfRules()}`, found];
  }

  /** Whether only the words differ, or, in a mission of rules 0, only a plan that is made otherwise now. */
  function isTakenAsItIs(track: Track, draft: FactDraft, fact: FactEvent, bytes: Buffer): boolean {
    if (compare(track, inWordsOf(draft, fact), fact, bytes) === null) {
      if (!again(track, fact, bytes, track.decided?.written ?? null)) return false;
      reworded += 1;
      return true;
    }
    if (fact.event_type !== 'plan_created' || !takesAsWritten(track.state)) return false;
    if (!again(track, fact, bytes, fact.payload)) return false;
    plansAsWritten += 1;
    return true;
  }

  /** Decides again with what has been written so far. What came before this fact does not depend on it. */
  function again(track: Track, fact: FactEvent, bytes: Buffer, written: WrittenPlan | null): boolean {
    if (track.decided === null) return false;
    const { before, input, facts: sofar } = track.decided;
    const recorded = [...sofar, fact];
    const words: Words = (made, position) => inWordsOf(made, recorded[position]);
    let decision: Decision;
    try {
      decision = decide(before, input, { now: track.now, written, words });
    } catch {
      return false;
    }
    if (decision.kind === 'ignored') return false;
    const due = decision.facts.slice(sofar.length);
    const [next] = due;
    if (next === undefined || compare(track, next, fact, bytes) !== null) return false;
    track.decided = { before, input, written, facts: sofar };
    track.due = due;
    track.ended = missionHasEnded(decision.state);
    track.state = decision.state;
    return true;
  }

  function compare(
    { tail, state, causation_id, now }: Track,
    draft: FactDraft,
    fact: FactEvent,
    bytes: Buffer,
  ): [expected: string, found: string] | null {
    const mission_id = fact.correlation_id;
    const priority = state?.priority ?? fact.priority;
    const [sealed] = seal([draft], { mission_id, priority, causation_id, now, tail, codec }).events;
    if (sealed === undefined || sealed.bytes.equals(bytes)) return null;
    const wrong = difference(sealed.event, fact);
    if (wrong !== null) return [`${wrong.path}: ${wrong.expected}`, `${wrong.path}: ${wrong.found}`];
    // An older version of the schema has other bytes for the same; one version has one way only to write it.
    const sameSchema = sealed.bytes.compare(bytes, 0, headerLength, 0, headerLength) === 0;
    return sameSchema ? [`bytes ${sealed.bytes.toString('hex')}`, bytes.toString('hex')] : null;
  }

  return {
    feed(record) {
      facts += 1;
      const { partition, offset } = record;
      const unread = (what: FindingKind, expected: string, found: string): Finding => {
        const mission = record.key ?? '';
        const track = tracks.get(mission);
        if (track !== undefined) spoil(track);
        return {
          mission,
          partition,
          offset,
          sequence: (track?.tail.sequence ?? 0) + 1,
          what,
          expected,
          found,
        };
      };
      let fact: FactEvent | null;
      try {
        fact = factIn(codec, record.bytes);
      } catch (error) {
        return unread('undecodable', 'a fact', asFailure(error).message);
      }
      if (fact === null) return unread('not_a_fact', 'a fact', 'a record of another kind');
      let track = tracks.get(fact.correlation_id);
      if (track === undefined) {
        track = newTrack();
        tracks.set(fact.correlation_id, track);
      }
      if (track.broken) return null;
      const finding = check(track, fact, record);
      if (finding !== null) spoil(track);
      else if (track.ended && track.due.length === 0) track.state = null;
      return finding;
    },

    expectHead(mission, head) {
      heads.set(mission, head);
    },

    end() {
      const findings: Finding[] = [];
      let ended = 0;
      for (const [mission, { tail, place, due, broken, ended: over }] of tracks) {
        if (over) ended += 1;
        const [next] = due;
        if (broken || next === undefined) continue;
        const sequence = tail.sequence + 1;
        const expected = `${next.event_type} after it`;
        findings.push({
          mission,
          ...place,
          sequence,
          what: 'decision_incomplete',
          expected,
          found: 'nothing',
        });
      }
      for (const [mission, { sequence, hash }] of heads) {
        const track = tracks.get(mission);
        if (track?.broken) continue;
        const { tail, place } = track ?? { tail: noTail, place: nowhere };
        if (sequence < tail.sequence || (sequence === tail.sequence && hash === tail.hash)) continue;
        const expected = `sequence ${sequence} with hash ${hash}`;
        const found = `sequence ${tail.sequence} with hash ${tail.hash}`;
        findings.push({ mission, ...place, sequence: tail.sequence, what: 'head_differs', expected, found });
      }
      const missions = tracks.size;
      const running = missions - ended;
      const counts = { missions, ended, running, facts, plans_as_written: plansAsWritten, reworded, rules };
      return { findings, summary: counts };
    },
  };
}

function newTrack(): Track {
  const nothing = { state: null, ended: false, broken: false, due: [], decided: null };
  return { tail: noTail, place: nowhere, derived: false, causation_id: '', now: 0, ...nothing };
}

function spoil(track: Track): void {
  track.broken = true;
  track.state = null;
  track.due = [];
  track.decided = null;
}

function factIn(codec: Codec, bytes: Buffer): FactEvent | null {
  const { value } = codec.decode(bytes);
  return 'payload' in value && isFact(value) ? value : null;
}

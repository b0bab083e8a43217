import type { FactEvent } from '#orchestrator/facts.ts';
import { type ChainTail, emptyChain, hashChain } from '#schemas/codec.ts';
import type { StepEvent } from '#worker/journal.ts';

/** What the ledger says about the journal of an attempt: the hash that its end carries. */
interface Expected {
  readonly hash: string;
  readonly mission: string;
  readonly partition: number;
  readonly offset: number;
  readonly sequence: number;
}

export interface JournalFinding extends Expected {
  /** `<mission>/<task>`, and the number of the attempt. */
  readonly journal: string;
  readonly what: 'journal_broken' | 'journal_differs' | 'journal_missing';
  readonly found: string;
}

export interface JournalSummary {
  /** Attempts whose steps give the hash that the ledger has. */
  readonly checked: number;
  /** Attempts whose steps retention has deleted, all or the first of them. */
  readonly unchecked: number;
  readonly steps: number;
}

interface Track {
  readonly expected: Expected;
  tail: ChainTail;
  /** Hash after each step, to tell a record that was written twice from another one. */
  readonly hashes: string[];
  oldestLease: number;
  state: 'open' | 'matched' | 'beheaded';
  wrong: JournalFinding | null;
}

/**
 * Compares the journal of each attempt that has ended with the hash that its end carries. First all facts, then all
 * steps; each step is hashed once, and only attempts that the ledger names are kept.
 */
export interface JournalCheck {
  fact(fact: FactEvent, place: { readonly partition: number; readonly offset: number }): void;
  step(event: StepEvent, bytes: Buffer): void;
  /** @param mayBeDeleted Whether retention has deleted records where the steps of this key lived. */
  end(mayBeDeleted: (key: string) => boolean): {
    readonly findings: readonly JournalFinding[];
    readonly summary: JournalSummary;
  };
}

export function checkJournals(): JournalCheck {
  const tracks = new Map<string, Track>();
  let steps = 0;

  const keyOf = (mission: string, task: string, attempt: number) => `${mission}/${task} attempt ${attempt}`;
  const finding = (journal: string, expected: Expected, what: JournalFinding['what'], found: string) => ({
    ...expected,
    journal,
    what,
    found,
  });

  return {
    fact(fact, { partition, offset }) {
      switch (fact.event_type) {
        case 'task_completed':
        case 'task_attempt_failed':
        case 'task_failed':
        case 'agent_handoff':
          break;
        default:
          return;
      }
      const { task_id, attempt, journal_hash: hash } = fact.payload;
      // An end that the orchestrator itself made, of a timer, knows of no journal.
      if (hash === '') return;
      const { correlation_id: mission, sequence } = fact;
      const expected = { hash, mission, partition, offset, sequence };
      const track = {
        expected,
        tail: emptyChain,
        hashes: [],
        oldestLease: 0,
        state: 'open' as const,
        wrong: null,
      };
      tracks.set(keyOf(mission, task_id, attempt), track);
    },

    step(event, bytes) {
      steps += 1;
      const { task_id, attempt, lease } = event.payload;
      const journal = keyOf(event.correlation_id, task_id, attempt);
      const track = tracks.get(journal);
      if (track === undefined || track.state !== 'open' || track.wrong !== null) return;
      // As in the fold of a resume: a marker ends all older leases, and what they write after it does not count.
      if (lease < track.oldestLease) return;
      if (event.event_type === 'journal_resumed') {
        track.oldestLease = lease;
        return;
      }
      if (track.tail.sequence === 0 && event.sequence > 1) {
        track.state = 'beheaded';
        return;
      }
      const next = hashChain(track.tail, bytes);
      if (event.sequence <= track.tail.sequence && track.hashes[event.sequence - 1] === next.hash) return;
      if (event.sequence !== track.tail.sequence + 1 || event.previous_hash !== track.tail.hash) {
        const found = `step ${event.sequence} after ${event.previous_hash || 'nothing'}`;
        track.wrong = finding(journal, track.expected, 'journal_broken', found);
        return;
      }
      track.tail = next;
      track.hashes.push(next.hash);
      if (next.hash !== track.expected.hash) return;
      track.state = 'matched';
      track.hashes.length = 0;
    },

    end(mayBeDeleted) {
      const findings: JournalFinding[] = [];
      let checked = 0;
      let unchecked = 0;
      for (const [journal, { expected, state, tail, wrong }] of tracks) {
        const deleted = mayBeDeleted(journal.slice(0, journal.lastIndexOf(' attempt ')));
        if (wrong !== null) findings.push(wrong);
        else if (state === 'matched') checked += 1;
        else if (deleted && (state === 'beheaded' || tail.sequence === 0)) unchecked += 1;
        else if (tail.sequence === 0) {
          const found = state === 'beheaded' ? 'no first step' : 'no steps';
          findings.push(finding(journal, expected, 'journal_missing', found));
        } else findings.push(finding(journal, expected, 'journal_differs', tail.hash));
      }
      return { findings, summary: { checked, unchecked, steps } };
    },
  };
}

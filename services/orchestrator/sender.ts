import type { Outbox, Outgoing } from '#chassis/outbox.ts';
import { partitionOf } from '#chassis/partitioner.ts';
import type { Codec } from '#schemas/codec.ts';
import type * as records from '#schemas/types.gen.ts';
import type { TopicNames } from '#topics/table.ts';
import { commandsOfUndoing, commandToChild, reportToParent } from './children.ts';
import { type Assignment, assignmentOf, type Dispatcher, isCurrent } from './dispatch.ts';
import type { SealedFact } from './ledger.ts';
import { checkSize } from './sizes.ts';
import { type MissionState, missionHasEnded } from './state.ts';

export interface SenderSettings {
  readonly partition: number;
  readonly partitions: number;
  readonly topics: TopicNames;
  /** Roles that have a topic now. */
  readonly roles: { has(role: string): boolean };
  readonly codec: Codec;
}

type Headers = { readonly headers?: { readonly traceparent: string } };

/** What a fact says to missions above and below, ready to be sent. */
type Related = readonly (Outgoing & { readonly topic: string })[];

/** Puts facts onto the ledger, and what follows from them onto its way: to roles, and to missions above and below. */
export class Sender {
  private readonly settings: SenderSettings;
  private readonly dispatcher: Dispatcher;

  constructor(settings: SenderSettings, dispatcher: Dispatcher) {
    this.settings = settings;
    this.dispatcher = dispatcher;
  }

  /**
   * Encodes what these facts say to other missions, and measures it. It changes nothing, so that whatever can fail has
   * failed before `publish`. Throws Failure `mission_too_large`.
   */
  prepare(events: readonly SealedFact[], state: MissionState): Related[] {
    return events.map((sealed) => {
      const related = this.related(sealed, state);
      for (const { key, value } of related) {
        checkSize(`what ${sealed.event.event_type} says to mission ${key?.toString()}`, value?.length ?? 0);
      }
      return related;
    });
  }

  /** The ledger's record of an assignment and the assignment are the same bytes: encoded once. */
  publish(
    events: readonly SealedFact[],
    related: readonly Related[],
    state: MissionState,
    now: number,
    out: Outbox,
  ): void {
    const { topics, partition, roles } = this.settings;
    const headers = headersOf(state);
    const unsent = this.dispatcher.settle(
      state,
      events.map(({ event }) => event),
    );
    events.forEach(({ event, bytes }, position) => {
      out.send(topics.coordination, { key: state.mission_id, value: bytes, partition, ...headers });
      for (const { topic, ...outgoing } of related[position] ?? []) out.send(topic, outgoing);
      if ('kind' in event.payload && event.payload.kind === 'mission') return;
      if (event.event_type === 'task_assigned') {
        if (isCurrent(state, event.payload))
          this.dispatcher.offer(assignmentOf(state, event, bytes), now, (next) => this.assign(next, out));
        // The same decision has taken it back.
        else if (event.payload.lease === 1) unsent.add(event.payload.task_id);
      } else if (event.event_type === 'task_cancelled') {
        const { role, task_id, attempt } = event.payload;
        // A task that was cancelled before its first assignment is known to no worker, nor is one of which nothing was
        // sent. Where the topic is gone nobody reads.
        if (attempt > 0 && !unsent.has(task_id) && roles.has(role))
          out.send(topics.tasks(role), { key: `${state.mission_id}/${task_id}`, value: bytes, ...headers });
      }
    });
    if (missionHasEnded(state)) this.dispatcher.drop(state);
    this.drain(now, out);
  }

  /** Sends what there is room for, with the role and in the transaction. */
  drain(now: number, out: Outbox): void {
    this.dispatcher.drain(
      now,
      (next) => this.assign(next, out),
      () => out.full,
    );
  }

  private assign({ role, key, bytes, traceparent }: Assignment, out: Outbox): void {
    out.send(this.settings.topics.tasks(role), { key, value: bytes, ...headersOf({ traceparent }) });
  }

  private related({ event }: SealedFact, state: MissionState): Related {
    const report = reportToParent(state, event);
    const commands = commandsOf(state, event);
    if (report === null && commands.length === 0) return [];
    const { topics, codec, partitions } = this.settings;
    const headers = headersOf(state);
    const to = (topic: string, key: string, value: Buffer) => ({
      ...{ topic, key, value, partition: partitionOf(key, partitions) },
      ...headers,
    });
    return [
      ...(report === null ? [] : [to(topics.reports, report.correlation_id, codec.encode(report))]),
      ...commands.map((command) =>
        to(topics.missions, command.correlation_id, codec.encodeRecord('MissionCommand', command)),
      ),
    ];
  }
}

/** To missions within this one. */
function commandsOf(state: MissionState, event: SealedFact['event']): readonly records.MissionCommand[] {
  switch (event.event_type) {
    case 'undoing_started':
      return commandsOfUndoing(state, event);
    case 'task_assigned':
      return event.payload.kind === 'mission' ? [commandToChild(state, event)] : [];
    case 'task_cancelled':
      return event.payload.kind === 'mission' && event.payload.attempt > 0
        ? [commandToChild(state, event)]
        : [];
    default:
      return [];
  }
}

const headersOf = ({ traceparent }: Pick<MissionState, 'traceparent'>): Headers =>
  traceparent === '' ? {} : { headers: { traceparent } };

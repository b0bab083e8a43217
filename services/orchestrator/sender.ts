import type { Outbox } from '#chassis/outbox.ts';
import { partitionOf } from '#chassis/partitioner.ts';
import type { Codec } from '#schemas/codec.ts';
import type * as records from '#schemas/types.gen.ts';
import type { TopicNames } from '#topics/table.ts';
import { commandsOfUndoing, commandToChild, reportToParent } from './children.ts';
import { type Assignment, assignmentOf, type Dispatcher, isCurrent } from './dispatch.ts';
import type { ReportEvent } from './input.ts';
import type { SealedFact } from './ledger.ts';
import { type MissionState, missionHasEnded } from './state.ts';

export interface SenderSettings {
  readonly partition: number;
  readonly partitions: number;
  readonly topics: TopicNames;
  /** Roles that have a topic. */
  readonly roles: ReadonlySet<string>;
  readonly codec: Codec;
}

type Headers = { readonly headers?: { readonly traceparent: string } };

/** Puts facts onto the ledger, and what follows from them onto its way: to roles, and to missions above and below. */
export class Sender {
  private readonly settings: SenderSettings;
  private readonly dispatcher: Dispatcher;

  constructor(settings: SenderSettings, dispatcher: Dispatcher) {
    this.settings = settings;
    this.dispatcher = dispatcher;
  }

  /** The ledger's record of an assignment and the assignment are the same bytes: encoded once. */
  publish(events: readonly SealedFact[], state: MissionState, out: Outbox): void {
    const { topics, partition } = this.settings;
    const headers = headersOf(state);
    const unsent = this.dispatcher.settle(
      state,
      events.map(({ event }) => event),
    );
    for (const { event, bytes } of events) {
      out.send(topics.coordination, { key: state.mission_id, value: bytes, partition, ...headers });
      this.report(reportToParent(state, event), headers, out);
      if (event.event_type === 'undoing_started') {
        for (const command of commandsOfUndoing(state, event)) this.command(command, headers, out);
      } else if (event.event_type === 'task_assigned') {
        if (event.payload.kind === 'mission') this.command(commandToChild(state, event), headers, out);
        else if (isCurrent(state, event.payload))
          this.dispatcher.offer(assignmentOf(state, event, bytes), (next) => this.assign(next, out));
        // The same decision has taken it back.
        else if (event.payload.lease === 1) unsent.add(event.payload.task_id);
      } else if (event.event_type === 'task_cancelled') {
        const { role, task_id, attempt, kind } = event.payload;
        // A task that was cancelled before its first assignment is known to no worker.
        if (attempt === 0) continue;
        if (kind === 'mission') this.command(commandToChild(state, event), headers, out);
        // Nor is one of which nothing was sent; and nobody reads a topic that is gone.
        else if (!unsent.has(task_id) && this.settings.roles.has(role))
          out.send(topics.tasks(role), { key: `${state.mission_id}/${task_id}`, value: bytes, ...headers });
      }
    }
    if (missionHasEnded(state)) this.dispatcher.drop(state);
    this.drain(out);
  }

  /** Sends what there is room for. */
  drain(out: Outbox): void {
    this.dispatcher.drain((next) => this.assign(next, out));
  }

  private assign({ role, key, bytes, traceparent }: Assignment, out: Outbox): void {
    out.send(this.settings.topics.tasks(role), { key, value: bytes, ...headersOf({ traceparent }) });
  }

  /** To a mission within this one: to the partition where it lives. */
  private command(command: records.MissionCommand, headers: Headers, out: Outbox): void {
    const { topics, codec, partitions } = this.settings;
    const key = command.correlation_id;
    const value = codec.encodeRecord('MissionCommand', command);
    out.send(topics.missions, { key, value, partition: partitionOf(key, partitions), ...headers });
  }

  /** To the mission above this one. */
  private report(report: ReportEvent | null, headers: Headers, out: Outbox): void {
    if (report === null) return;
    const { topics, codec, partitions } = this.settings;
    const key = report.correlation_id;
    const value = codec.encode(report);
    out.send(topics.reports, { key, value, partition: partitionOf(key, partitions), ...headers });
  }
}

const headersOf = ({ traceparent }: Pick<MissionState, 'traceparent'>): Headers =>
  traceparent === '' ? {} : { headers: { traceparent } };

import type * as records from '#schemas/types.gen.ts';

/** What a mission itself reacts to, as it was submitted. */
export type OwnReactions = Omit<records.MissionReactions, 'mission_id'>;

export type JoinStatus = 'open' | 'completed' | 'timed_out' | 'refused';

/** An aggregator at work, or one that has ended: each begins once in a mission. */
export interface Join extends records.Join {
  readonly status: JoinStatus;
}

/** What is known of a mission. */
export interface Correlation {
  readonly mission_id: string;
  /** Of the newest fact. */
  readonly sequence: number;
  /** Reactions that led to the mission itself. */
  readonly hops: number;
  /** It has a plan, and none is being made. */
  readonly planned: boolean;
  /** How many of the events that it begins with have come. */
  readonly begun: number;
  /** Of a mission that reacts: all its tasks; of any other: those that a reaction led to. */
  readonly tasks: ReadonlyMap<string, records.ReactingTask>;
  readonly joins: ReadonlyMap<string, Join>;
  /** How often a subscription has reacted. */
  readonly counts: ReadonlyMap<string, number>;
  /** event_ids of reports that may still become facts. */
  readonly reports: ReadonlySet<string>;
  /** Reactions in all. */
  readonly reactions: number;
  /** Null: it was submitted without any. */
  readonly own: OwnReactions | null;
}

export const unknown = (mission_id: string): Correlation => ({
  mission_id,
  sequence: 0,
  hops: 0,
  planned: false,
  begun: 0,
  tasks: new Map(),
  joins: new Map(),
  counts: new Map(),
  reports: new Set(),
  reactions: 0,
  own: null,
});

/** Whether the mission waits for its reactions before it ends. */
export function reacts({ own }: Correlation): boolean {
  return own !== null && own.subscriptions.length + own.aggregators.length > 0;
}

/** Whether anything is known that the next fact needs: most missions leave nothing behind. */
export function isWorthKeeping(state: Correlation): boolean {
  const { own, hops, tasks, joins, counts, reactions } = state;
  return own !== null || hops > 0 || tasks.size > 0 || joins.size > 0 || counts.size > 0 || reactions > 0;
}

/** The records that the changelog keeps of a mission. `reactions` is the same as long as `state.own` is. */
export function toRecords(state: Correlation): {
  readonly state: records.CorrelationState;
  readonly reactions: records.MissionReactions | null;
} {
  const { own, tasks, joins, counts, reports, ...rest } = state;
  const kept = {
    ...rest,
    tasks: [...tasks.values()],
    joins: [...joins.values()],
    counts: [...counts].map(([subscription, count]) => ({ subscription, count })),
    reports: [...reports],
  };
  return { state: kept, reactions: own && { mission_id: state.mission_id, ...own } };
}

/** The mission that `toRecords` wrote. */
export function fromRecords(
  state: records.CorrelationState,
  reactions: records.MissionReactions | null,
): Correlation {
  const { mission_id: _, ...own } = reactions ?? { mission_id: '' };
  return {
    ...state,
    tasks: new Map(state.tasks.map((task) => [task.id, task])),
    joins: new Map(state.joins.map((join) => [join.aggregation, { ...join, status: statusOf(join) }])),
    counts: new Map(state.counts.map(({ subscription, count }) => [subscription, count])),
    reports: new Set(state.reports),
    own: reactions === null ? null : (own as OwnReactions),
  };
}

/** What a later version may have written is over for us. */
function statusOf({ status }: records.Join): JoinStatus {
  return status === 'open' || status === 'completed' || status === 'refused' ? status : 'timed_out';
}

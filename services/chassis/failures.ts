/**
 * The one catalogue of failures. Each code says whether an attempt that failed with it is tried again, and where
 * what failed lands. `docs/failures.md` lists the same codes; a test compares the two, both ways.
 */

/** Where a failure lands when it is not tried again. */
export type Landing = 'caller' | 'dead_letter' | 'task' | 'mission' | 'process';

export interface FailureKind {
  readonly retried: boolean;
  readonly lands: Landing;
  /** What it means and what to do, in one sentence. */
  readonly means: string;
}

const kind = (lands: Landing, retried: boolean, means: string): FailureKind => ({ retried, lands, means });

export const catalogue = {
  // A task's attempt
  timeout: kind('task', true, 'The attempt took longer than its timeout.'),
  temporary_failure: kind('task', true, 'Something outside was unavailable; trying again may help.'),
  tool_failed: kind('task', true, 'A tool call that the task depends on did not succeed.'),
  model_not_configured: kind('task', false, 'The task has no script and its role has no configured model.'),
  model_failed: kind('task', true, 'The model could not be reached or answered with a server error.'),
  rate_limited: kind('task', true, 'The provider refused for too many requests, and went on refusing.'),
  model_overloaded: kind('task', true, 'The provider was overloaded (HTTP 529 or 503), and stayed so.'),
  model_timeout: kind('task', true, 'The model did not answer in time.'),
  stream_broken: kind('task', true, 'The answer of the model broke off before its end.'),
  model_refused: kind('task', false, 'The model or its provider declined to answer.'),
  context_too_long: kind('task', false, 'The conversation is longer than the model takes.'),
  model_unknown: kind('task', false, 'The provider has no model of this name.'),
  key_missing: kind('task', false, "The provider's key is not set in the environment."),
  key_refused: kind('task', false, 'The provider did not accept the key, or it may not use this model.'),
  model_incapable: kind(
    'task',
    false,
    'The model cannot do what the role asks of it: tools, JSON, or so many tokens.',
  ),
  request_refused: kind('task', false, 'The provider refused the request as not valid.'),
  budget_exceeded: kind(
    'task',
    false,
    'The next call could cost more than is left of what the task was given.',
  ),
  price_unknown: kind('task', false, 'The mission limits money, and the price of the model is not known.'),
  invalid_output: kind('task', false, 'The model answered with something that is not what it was asked for.'),
  outcome_unknown: kind(
    'task',
    false,
    'A crash hid whether a non-idempotent effect happened; a person must look.',
  ),
  step_limit: kind('task', false, 'The task made more calls than its role allows.'),
  unauthorized: kind('task', false, 'The agent is not allowed to do this.'),
  safety_violation: kind('task', false, 'A safety rule refused it.'),
  role_unknown: kind('task', false, 'No role of this name exists in roles/.'),
  internal_error: kind('task', true, 'An unexpected error inside Ravenhelm; the log has the stack.'),
  hop_limit: kind('task', false, 'It was passed on, or reacted to, more often than is allowed.'),
  assignment_refused: kind(
    'task',
    false,
    'The assignment of the task is a dead letter: its role could not take it.',
  ),
  lease_lost: kind('task', true, 'The agent could not renew its lease and stopped before its next effect.'),

  // A tool call, told to the model
  path_refused: kind('caller', false, 'The path leads out of the mission workspace.'),
  invalid_arguments: kind('caller', false, 'The arguments of a tool call do not fit its schema.'),
  tool_unknown: kind('caller', false, 'The role has no tool of this name.'),
  not_found: kind('caller', false, 'What was asked for does not exist.'),
  rejected: kind('caller', false, 'A person said no to this call.'),
  dependency_unavailable: kind(
    'caller',
    false,
    'Nothing is left that could provide what the task waits for.',
  ),
  sandbox_missing: kind('caller', false, 'The role wants a sandbox, and this machine has no bubblewrap.'),
  mcp_failed: kind('caller', false, 'The MCP server that has the tool could not be reached or broke off.'),

  // A mission
  invalid_mission: kind('mission', false, 'The mission is not valid; the message says where.'),
  invalid_plan: kind('mission', false, 'The plan is not a valid graph of tasks over known roles.'),
  deadline_passed: kind('mission', false, 'The mission did not end before its deadline.'),
  task_failed: kind('mission', false, 'A task failed for good and the mission fails fast.'),
  budget_exhausted: kind('mission', false, 'The budget of the mission does not reach for its next task.'),
  plan_rejected: kind('mission', false, 'A person rejected the plan.'),
  pause_rejected: kind('mission', false, 'A reaction paused the mission, and a person did not let it go on.'),
  reaction_limit: kind('mission', false, 'The mission has led to as many reactions as one may.'),
  mission_too_large: kind(
    'mission',
    false,
    'A record of the mission would be larger than the log takes; the message names it.',
  ),
  too_deep: kind('mission', false, 'Missions within missions go deeper than is allowed.'),

  // A review
  review_unknown: kind('caller', false, 'No review of this id waits for an answer.'),
  review_differs: kind(
    'caller',
    false,
    'The answer is for other arguments than those that the review shows.',
  ),
  review_expired: kind('caller', false, 'The answer came too late, or nobody answered in time.'),

  // A record
  invalid_payload: kind('dead_letter', false, 'The record decodes but its content is not acceptable.'),
  undecodable: kind('dead_letter', false, 'The bytes are not a record in the registry wire format and Avro.'),
  schema_unknown: kind('dead_letter', false, 'The registry knows no schema of the id in the record.'),
  unexpected_type: kind('dead_letter', false, 'A valid event of a type that this topic does not carry.'),
  record_too_large: kind(
    'dead_letter',
    false,
    'The record is larger than 256 KiB; put large content into the workspace.',
  ),
  output_refused: kind(
    'dead_letter',
    false,
    'The broker refuses what came of the record, however often: too large, not valid, or not allowed.',
  ),
  retry_behind: kind('dead_letter', false, 'An earlier record of its key waits to be tried again.'),
  handler_failed: kind('dead_letter', false, 'The handler threw an unexpected error; the log has the stack.'),
  changelog_broken: kind(
    'dead_letter',
    false,
    'What the changelog keeps of the mission contradicts itself: it is set aside, and `ravenhelm doctor` names it.',
  ),

  // A dead letter, told to whoever asked for something to be done with it
  letter_settled: kind(
    'caller',
    false,
    'The dead letter was sent again or archived before; nothing is done twice.',
  ),
  letter_parked: kind(
    'caller',
    false,
    'The dead letter came back too often; it is sent again only with --force.',
  ),
  letter_changed: kind('caller', false, 'The dead letter was edited meanwhile; look at it again.'),
  letter_not_returnable: kind(
    'caller',
    false,
    'Nothing is sent to the topic that the record was on but by its own writer.',
  ),

  // A process
  commit_unknown: kind(
    'process',
    false,
    'The outcome of a commit is unknown; the partition is acquired again.',
  ),
  stalled: kind(
    'process',
    false,
    'A partition made no progress although it had work; the process exits and is restarted.',
  ),
  consumer_crashed: kind(
    'process',
    false,
    'The consumer stopped with an error; the process exits and is restarted.',
  ),
  rules_unknown: kind(
    'process',
    false,
    'A mission is decided by rules that this version does not have; its partition is left to a member that has them.',
  ),
  input_gap: kind('process', false, 'Records were deleted by retention before they were read.'),
  input_rewound: kind(
    'process',
    false,
    'An input topic ends before what was read of it: it was made anew, and is read from its beginning.',
  ),
  partitions_differ: kind(
    'process',
    false,
    'Topics that belong together have different numbers of partitions, or the number has changed; the process exits.',
  ),
  deadline_exceeded: kind('caller', false, 'Waiting took longer than its deadline.'),
  aborted: kind('caller', false, 'The caller gave up.'),

  // Setting up
  invalid_configuration: kind(
    'caller',
    false,
    'The environment or a file is not valid; the message lists all that is wrong.',
  ),
  schema_not_registered: kind(
    'caller',
    false,
    'A schema is not in the registry: run `ravenhelm schemas register`.',
  ),
  schema_incompatible: kind(
    'caller',
    false,
    'The registry refuses the schema as incompatible with its earlier versions.',
  ),
  registry_unavailable: kind('caller', false, 'The schema registry does not answer.'),
  topic_missing: kind('caller', false, 'A topic is missing or set otherwise: run `ravenhelm topics apply`.'),
  broker_unavailable: kind('caller', false, 'The Kafka brokers do not answer.'),
  database_unavailable: kind('caller', false, 'PostgreSQL does not answer.'),
  stack_unavailable: kind(
    'caller',
    false,
    'No Kafka: set the addresses, or install Docker, or Java 17 and Maven.',
  ),
  stack_incomplete_address: kind(
    'caller',
    false,
    'Some but not all of KAFKA_BROKERS, SCHEMA_REGISTRY_URL, DATABASE_URL are set.',
  ),
  stack_component_failed: kind(
    'caller',
    false,
    'A component of the local stack did not come up; the message has the end of its log.',
  ),
  stack_other_brokers: kind(
    'caller',
    false,
    'The stack that is there has another number of brokers than asked for; it keeps what it was made with.',
  ),
  stack_port_taken: kind('caller', false, 'A port that the local stack needs is taken.'),
  services_not_running: kind('caller', false, 'The services are not running: run `ravenhelm up`.'),
  ledger_broken: kind(
    'caller',
    false,
    'The ledger does not verify; the message names the first offset that differs.',
  ),
} as const satisfies Record<string, FailureKind>;

export type FailureCode = keyof typeof catalogue;

export function isFailureCode(code: string): code is FailureCode {
  return Object.hasOwn(catalogue, code);
}

/** Whether an attempt that ended with this code is tried again. An unknown code is not. */
export function isRetried(code: string): boolean {
  return isFailureCode(code) && catalogue[code].retried;
}

/** The only error that Ravenhelm throws on purpose. */
export class Failure extends Error {
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'Failure';
    this.code = code;
  }
}

/** Any thrown value as a Failure; what is not one yet becomes `fallback`. */
export function asFailure(error: unknown, fallback: FailureCode = 'internal_error'): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new Failure(fallback, message, { cause: error });
}

import { catalogue, type FailureCode } from '#chassis/failures.ts';

const advice: Partial<Record<FailureCode, string>> = {
  services_not_running: '`ravenhelm up` starts them; `ravenhelm logs` tells what happened to them.',
  broker_unavailable: '`ravenhelm status` tells what runs, `ravenhelm doctor` what is wrong.',
  registry_unavailable: '`ravenhelm status` tells what runs, `ravenhelm doctor` what is wrong.',
  database_unavailable: '`ravenhelm status` tells what runs, `ravenhelm doctor` what is wrong.',
  topic_missing: '`ravenhelm topics diff` shows what differs, `ravenhelm topics apply` mends it.',
  schema_not_registered: '`ravenhelm schemas register` registers them all.',
  stack_component_failed: '`ravenhelm logs` shows the logs of all components.',
  stack_unavailable: '`ravenhelm doctor` checks each of the three ways.',
  deadline_exceeded: '`ravenhelm status` tells what is slow, `ravenhelm logs` why.',
  ledger_broken: 'Somebody or something changed the ledger; the message says where.',
  invalid_arguments: '`ravenhelm --help`, or `ravenhelm <command> --help`, tells what is expected.',
  not_found: '`ravenhelm missions` lists what there is.',
  internal_error: 'This is a bug in Ravenhelm; RAVENHELM_DEBUG=1 shows where.',
};

/** What to do about a failure, in one sentence. */
export function adviceFor(code: FailureCode): string {
  return advice[code] ?? catalogue[code].means;
}

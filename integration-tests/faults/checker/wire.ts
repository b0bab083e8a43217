/**
 * Reads records as anyone could who knows the registry and Avro, and nothing of this project: the schema comes from the
 * registry, by the id in the record. The checker shares no code with the services, and so none of their mistakes.
 */
import avsc from 'avsc';

export interface Payload {
  readonly [field: string]: unknown;
}

/** The envelope that every event has; of a record that is no event, the fields that it lacks are empty. */
export interface Wired {
  /** Full name of the record's schema. */
  readonly schema: string;
  readonly event_id: string;
  readonly event_type: string;
  readonly source_agent: string;
  readonly correlation_id: string;
  readonly causation_id: string;
  readonly timestamp: number;
  readonly sequence: number;
  readonly previous_hash: string;
  readonly payload: Payload;
  /** All fields, for a record that is no event. */
  readonly fields: Payload;
}

const headerLength = 5;

export class Wire {
  private readonly registry: string;
  private readonly types = new Map<number, Promise<avsc.Type>>();

  constructor(registry: string) {
    this.registry = registry;
  }

  /** Null for bytes that are no record of the registry's wire format. Rejects while the registry does not answer. */
  async decode(bytes: Buffer): Promise<Wired | null> {
    if (bytes.length < headerLength || bytes[0] !== 0) return null;
    const id = bytes.readInt32BE(1);
    let type = this.types.get(id);
    if (type === undefined) {
      type = this.fetchType(id);
      this.types.set(id, type);
      type.catch(() => this.types.delete(id));
    }
    const found = await type;
    const value = found.fromBuffer(bytes.subarray(headerLength)) as Record<string, unknown>;
    return {
      schema: found.name ?? '',
      event_id: text(value['event_id']),
      event_type: text(value['event_type']),
      source_agent: text(value['source_agent']),
      correlation_id: text(value['correlation_id']),
      causation_id: text(value['causation_id']),
      timestamp: number(value['timestamp']),
      sequence: number(value['sequence']),
      previous_hash: text(value['previous_hash']),
      payload: (value['payload'] ?? {}) as Payload,
      fields: value,
    };
  }

  private async fetchType(id: number): Promise<avsc.Type> {
    const answer = await fetch(`${this.registry}/schemas/ids/${id}`, { signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`the registry answered ${answer.status} for schema ${id}`);
    const { schema } = (await answer.json()) as { schema: string };
    return avsc.Type.forSchema(JSON.parse(schema) as avsc.Schema, { wrapUnions: false });
  }
}

export const text = (value: unknown): string => (typeof value === 'string' ? value : '');
export const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
export const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.map((each) => text(each)) : [];

/** The lease that an event of a task is about: <mission>/<task>/<attempt>/<lease>. */
export const claimOf = ({ correlation_id, payload }: Pick<Wired, 'correlation_id' | 'payload'>): string =>
  `${correlation_id}/${text(payload['task_id'])}/${number(payload['attempt'])}/${number(payload['lease'])}`;

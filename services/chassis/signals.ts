import type { KafkaMessage } from 'kafkajs';
import type { Codec } from '#schemas/codec.ts';
import { decodeRecord } from './decode-record.ts';
import type { PartitionLogic } from './processor.ts';

/** Shows a record that must not queue behind work to the logic, before its turn. */
export function announceSignal(
  logic: PartitionLogic | null,
  topic: string,
  partition: number,
  message: KafkaMessage,
  codec: Codec,
): void {
  if (logic?.signals === undefined || message.value === null) return;
  const name = codec.nameOf(message.value);
  if (name === null || !logic.signals.has(name)) return;
  try {
    logic.arrived?.(decodeRecord(topic, partition, message, codec));
  } catch {
    // Its turn will come, and with it the dead letter.
  }
}

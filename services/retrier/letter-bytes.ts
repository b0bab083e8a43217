import type { Kafka, KafkaMessage } from 'kafkajs';
import type { Logger } from '#chassis/log.ts';
import { readTopic } from '#chassis/reader.ts';
import type { Codec } from '#schemas/codec.ts';

/** Letters that are read at a time, and their bytes. */
const mostLetters = 200;
const mostBytes = 16 * 1024 * 1024;
const readWithinMs = 60_000;
const schemaWithinMs = 10_000;
const againAfterMs = 1000;

export interface LetterBytesSettings {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly prefix: string;
  readonly codec: Codec;
  readonly log: Logger;
  /** Something was read that was wanted. */
  readonly arrived: () => void;
}

/** `gone`: retention took it. Undefined: not read yet. */
export type FoundLetter = KafkaMessage | 'gone' | undefined;

/**
 * Reads dead letters from their topic when they are to be sent again, a few ahead of the sending: the state of the
 * retrier holds no bytes. One reading at a time for each partition, outside any handler.
 */
export class LetterBytes {
  private readonly to: LetterBytesSettings;
  private readonly found = new Map<string, KafkaMessage | 'gone'>();
  private readonly reading = new Map<number, AbortController>();
  private readonly retries = new Set<NodeJS.Timeout>();
  private closed = false;

  constructor(to: LetterBytesSettings) {
    this.to = to;
  }

  get(partition: number, offset: number): FoundLetter {
    return this.found.get(`${partition}-${offset}`);
  }

  sent(partition: number, offset: number): void {
    this.found.delete(`${partition}-${offset}`);
  }

  /** Reads these ahead, unless it is reading. `arrived` is called when there is something new. */
  want(partition: number, offsets: readonly number[]): void {
    if (this.closed || this.reading.has(partition)) return;
    const wanted = new Set(offsets.slice(0, mostLetters).toSorted((a, b) => a - b));
    if (wanted.size === 0) return;
    const stop = new AbortController();
    this.reading.set(partition, stop);
    void this.read(partition, wanted, AbortSignal.any([stop.signal, AbortSignal.timeout(readWithinMs)]))
      .then(() => true)
      .catch((error: unknown) => {
        this.to.log.warn({ partition, error: String(error) }, 'dead letters could not be read, trying again');
        return false;
      })
      .then((done) => {
        this.reading.delete(partition);
        if (this.closed) return;
        if (done) this.to.arrived();
        else this.later();
      });
  }

  private later(): void {
    const timer = setTimeout(() => {
      this.retries.delete(timer);
      this.to.arrived();
    }, againAfterMs);
    this.retries.add(timer);
  }

  private async read(partition: number, wanted: ReadonlySet<number>, signal: AbortSignal): Promise<void> {
    const { kafka, topic, prefix, codec } = this.to;
    const offsets = [...wanted];
    const first = offsets[0] ?? 0;
    const last = offsets.at(-1) ?? 0;
    const messages = new Map<number, KafkaMessage>();
    let bytes = 0;
    let reached = first;
    await readTopic({
      ...{ kafka, topic, prefix, signal, until: 'end' },
      from: new Map([[partition, first]]),
      each({ offset, message }) {
        if (wanted.has(offset)) {
          messages.set(offset, message);
          bytes += message.value?.length ?? 0;
        }
        reached = offset;
        return offset < last && bytes < mostBytes;
      },
    });
    signal.throwIfAborted();
    // The end of the log lies behind every letter that was recorded: what was not met is no longer there.
    const full = bytes >= mostBytes;
    for (const { value } of messages.values()) {
      if (value !== null && !codec.knows(value)) await codec.load(value, AbortSignal.timeout(schemaWithinMs));
    }
    for (const offset of wanted) {
      const message = messages.get(offset);
      if (message !== undefined) this.found.set(`${partition}-${offset}`, message);
      else if (!full || offset <= reached) this.found.set(`${partition}-${offset}`, 'gone');
    }
  }

  /** The partition has another owner, or is acquired again. */
  forget(partition: number): void {
    this.reading.get(partition)?.abort();
    for (const key of [...this.found.keys()]) if (key.startsWith(`${partition}-`)) this.found.delete(key);
  }

  close(): void {
    this.closed = true;
    for (const stop of this.reading.values()) stop.abort();
    for (const timer of this.retries) clearTimeout(timer);
  }
}

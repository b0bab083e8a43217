import { Failure } from '#chassis/failures.ts';
import type { Codec } from '#schemas/codec.ts';
import type { AgentHealth } from '#schemas/types.gen.ts';
import type { Changes } from './changes.ts';
import type { Client } from './database.ts';
import { decoded, type Fold, type FoldedBatch, nothingToRemember, putError } from './fold.ts';
import { instant } from './rows.ts';

export function agentRow({ payload, timestamp }: AgentHealth) {
  const { started_at, pools: _, reason: __, problems: ___, ...told } = payload;
  return { ...told, started_at: instant(started_at), seen_at: instant(timestamp) };
}

/** Keeps what every agent said last. A record without a value, by which the topic forgets an agent, removes it. */
export class AgentsFold implements Fold {
  private readonly codec: Codec;

  constructor(codec: Codec) {
    this.codec = codec;
  }

  forget(): void {}

  async fold(_client: Client, batch: FoldedBatch, changes: Changes): Promise<{ committed(): void }> {
    for (const record of batch.records) {
      const { key, value } = record.message;
      try {
        if (key !== null && value === null) {
          changes.remove('agents', key.toString());
          continue;
        }
        const { name, value: event } = decoded(this.codec, record).value;
        // That it is ready, its health says too.
        if (name === 'ServiceReady') continue;
        if (name !== 'AgentHealth') {
          throw new Failure('unexpected_type', `found ${name}, expected AgentHealth`);
        }
        changes.put('agents', event.payload.agent, agentRow(event));
      } catch (error) {
        putError(changes, batch, record.offset, error);
      }
    }
    return nothingToRemember;
  }
}

import { connect } from 'node:net';

/**
 * Asks a broker over the wire which brokers there are, without a client: no retries, no metadata kept, and the same
 * for Kafka and Redpanda. Empty while the broker has not joined its cluster yet.
 */
export async function brokersKnownTo(broker: string, signal: AbortSignal): Promise<string[]> {
  return decodeBrokers(await exchange(broker, metadataRequest, signal));
}

/** Resolves when the broker answers in Kafka's protocol, also when it wants SASL first. */
export async function answersAsKafka(broker: string, signal: AbortSignal): Promise<void> {
  const answer = await exchange(broker, apiVersionsRequest, signal);
  if (answer.length < 10) throw new Error(`${broker} does not answer as a Kafka broker`);
}

const correlation = 0x5256;

/** Key 18, version 0: the one request that needs no negotiation. */
const apiVersionsRequest = request(18, 0, Buffer.alloc(0));
/** Key 3, version 4; no topics (an empty array), none to be created. */
const metadataRequest = request(3, 4, Buffer.from([0, 0, 0, 0, 0]));

function request(key: number, version: number, body: Buffer): Buffer {
  const client = Buffer.from('ravenhelm');
  const head = Buffer.alloc(14);
  head.writeInt32BE(10 + client.length + body.length, 0);
  head.writeInt16BE(key, 4);
  head.writeInt16BE(version, 6);
  head.writeInt32BE(correlation, 8);
  head.writeInt16BE(client.length, 12);
  return Buffer.concat([head, client, body]);
}

/** Sends one request; resolves with the answer after its length and correlation. */
function exchange(broker: string, bytes: Buffer, signal: AbortSignal): Promise<Buffer> {
  const { host, port } = splitBroker(broker);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let received = Buffer.alloc(0);
    const end = (settle: () => void) => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      settle();
    };
    const abort = () => end(() => reject(signal.reason));
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    socket.once('connect', () => socket.write(bytes));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 8) return;
      const length = received.readInt32BE(0);
      if (length > 1_000_000 || received.readInt32BE(4) !== correlation) {
        end(() => reject(new Error(`${broker} does not answer as a Kafka broker`)));
      } else if (received.length >= 4 + length) {
        end(() => resolve(received.subarray(8, 4 + length)));
      }
    });
    socket.once('error', (error) => end(() => reject(error)));
    socket.once('close', () => end(() => reject(new Error(`${broker} closed the connection`))));
  });
}

/** Metadata version 4: throttle time, then the brokers as id, host, port, rack. */
export function decodeBrokers(answer: Buffer): string[] {
  const brokers: string[] = [];
  let at = 4;
  const count = answer.readInt32BE(at);
  at += 4;
  for (let index = 0; index < count; index++) {
    const hostLength = answer.readInt16BE(at + 4);
    const host = answer.toString('utf8', at + 6, at + 6 + hostLength);
    at += 6 + hostLength;
    brokers.push(`${host}:${answer.readInt32BE(at)}`);
    const rackLength = answer.readInt16BE(at + 4);
    at += 6 + Math.max(rackLength, 0);
  }
  return brokers;
}

/** `host:port`, or `[::1]:port`; 9092 where no port is given. */
export function splitBroker(broker: string): { host: string; port: number } {
  const match = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(broker);
  if (match === null) throw new Error(`${broker} is not an address like host:port`);
  return { host: match[1] ?? match[2] ?? '', port: Number(match[3] ?? 9092) };
}

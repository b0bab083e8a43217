/**
 * A network between a client in this process and the broker that loses answers: a TCP proxy that knows Kafka's frames.
 * An answer is lost the way it is in life: the broker has done what was asked, and the connection dies.
 */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import type { ISocketFactory } from 'kafkajs';

/** Kafka's numbers of the requests that a service makes. */
export const api = {
  Produce: 0,
  OffsetCommit: 8,
  FindCoordinator: 10,
  JoinGroup: 11,
  Heartbeat: 12,
  SyncGroup: 14,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  EndTxn: 26,
} as const;

export class LossyNetwork {
  private readonly servers: Server[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly toLose = new Map<number, number>();
  /** Answers lost so far, by request. */
  readonly lost = new Map<number, number>();

  /** From now on, the next answer to this request is lost. */
  loseNext(request: number): void {
    this.toLose.set(request, (this.toLose.get(request) ?? 0) + 1);
  }

  readonly socketFactory: ISocketFactory = ({ host, port, onConnect }) => {
    const socket = dial({ host: '127.0.0.1', port: this.portOf(host, port) }, onConnect);
    socket.setNoDelay(true);
    return socket;
  };

  /** Brokers have to be named here before clients connect, as a socket factory cannot wait. */
  async through(brokers: readonly string[]): Promise<void> {
    for (const broker of brokers) {
      const [host = '', port = ''] = broker.split(':');
      const key = `${host}:${port}`;
      if (!this.ports.has(key)) this.ports.set(key, await this.listen(host, Number(port)));
    }
  }

  private readonly ports = new Map<string, number>();

  private portOf(host: string, port: number): number {
    const found = this.ports.get(`${host}:${port}`);
    if (found === undefined) throw new Error(`no way to ${host}:${port}; known: ${[...this.ports.keys()]}`);
    return found;
  }

  private listen(host: string, port: number): Promise<number> {
    const server = createServer({ pauseOnConnect: true }, (client) => {
      const broker = dial({ host, port }, () => client.resume());
      this.join(client, broker);
    });
    this.servers.push(server);
    return new Promise((done, failed) => {
      server.once('error', failed);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        done(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  }

  private join(client: Socket, broker: Socket): void {
    const asked = new Map<number, number>();
    for (const socket of [client, broker]) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      const end = () => {
        client.destroy();
        broker.destroy();
        this.sockets.delete(socket);
      };
      socket.once('close', end);
      socket.on('error', end);
    }
    eachFrame(client, (frame) => {
      asked.set(frame.readInt32BE(8), frame.readInt16BE(4));
      broker.write(frame);
    });
    eachFrame(broker, (frame) => {
      const correlation = frame.readInt32BE(4);
      const request = asked.get(correlation) ?? -1;
      asked.delete(correlation);
      const wanted = this.toLose.get(request) ?? 0;
      if (wanted > 0) {
        this.toLose.set(request, wanted - 1);
        this.lost.set(request, (this.lost.get(request) ?? 0) + 1);
        client.destroy();
        broker.destroy();
      } else client.write(frame);
    });
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(this.servers.map((server) => new Promise((done) => server.close(done))));
  }
}

/** Kafka's frames: four bytes of length, then the request or answer. */
export function eachFrame(socket: Socket, take: (frame: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= rest.readInt32BE(0) + 4) {
      const length = rest.readInt32BE(0) + 4;
      take(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  });
}

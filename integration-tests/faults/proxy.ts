/**
 * The network between the services and the brokers: a TCP proxy that knows Kafka's frames. Each broker advertises a port
 * of it, so every connection of every service goes through here. It loses single answers (the broker has done what was asked, and
 * the connection dies), is dead for a while (nothing arrives, nothing is refused), or is slow.
 */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { eachFrame } from '../lossy-network.ts';

/** Kafka's numbers of the requests whose answers the campaign loses. */
export const requests = {
  /** Within a transaction; without one it is told apart, as other protections guard it. */
  Produce: 0,
  PlainProduce: -1,
  OffsetCommit: 8,
  FindCoordinator: 10,
  JoinGroup: 11,
  Heartbeat: 12,
  SyncGroup: 14,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
} as const;
export type RequestName = keyof typeof requests;

/** The number of a request, from its frame: length, key, version, correlation, client id, and what it asks. */
export function requestIn(frame: Buffer): number {
  const request = frame.readInt16BE(4);
  if (request !== requests.Produce) return request;
  const clientId = Math.max(0, frame.readInt16BE(12));
  // Of a Produce that is the transactional id first; -1: it has none.
  return frame.readInt16BE(14 + clientId) < 0 ? requests.PlainProduce : request;
}

export class FaultProxy {
  private readonly servers: Server[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly toLose = new Map<number, number>();
  private dead = false;
  private delayMs = 0;
  /** Answers lost and requests seen so far, by the request's number. */
  readonly lost = new Map<number, number>();
  readonly seen = new Map<number, number>();

  /** Listens on each port `proxy` of the loopback interface, and leads to the port `behind` of a broker. */
  static async open(
    ways: readonly { readonly proxy: number; readonly behind: number }[],
  ): Promise<FaultProxy> {
    const network = new FaultProxy();
    for (const { proxy, behind } of ways) {
      const server = createServer({ pauseOnConnect: true }, (client) => network.accept(client, behind));
      network.servers.push(server);
      await new Promise<void>((done, failed) => {
        server.once('error', failed);
        server.listen(proxy, '127.0.0.1', done);
      });
    }
    return network;
  }

  /** The next answer to this request is lost, whichever broker gives it and whoever gets it. */
  loseNext(request: RequestName): void {
    const number = requests[request];
    this.toLose.set(number, (this.toLose.get(number) ?? 0) + 1);
  }

  /** Answers that were to be lost and never came are no longer waited for. */
  forget(): void {
    this.toLose.clear();
  }

  lostOf(request: RequestName): number {
    return this.lost.get(requests[request]) ?? 0;
  }

  /** From now on nothing arrives on either side. */
  die(): void {
    this.dead = true;
  }

  /** Each frame takes this much longer, in each direction; milliseconds. */
  slow(delayMs: number): void {
    this.delayMs = delayMs;
  }

  /** As if nothing had been. Connections that lived through a dead network have lost bytes, so they end. */
  heal(): void {
    this.delayMs = 0;
    this.forget();
    if (!this.dead) return;
    this.dead = false;
    for (const socket of this.sockets) socket.destroy();
  }

  private accept(client: Socket, behind: number): void {
    this.sockets.add(client);
    client.on('error', () => client.destroy());
    client.once('close', () => this.sockets.delete(client));
    // A dead network answers nobody; whoever is still there when it lives again is cut off and comes anew.
    if (this.dead) return;
    const broker = dial({ host: '127.0.0.1', port: behind }, () => client.resume());
    this.sockets.add(broker);
    for (const socket of [client, broker]) {
      socket.setNoDelay(true);
      const end = () => {
        client.destroy();
        broker.destroy();
        this.sockets.delete(socket);
      };
      socket.once('close', end);
      socket.on('error', end);
    }
    const asked = new Map<number, number>();
    const ask = this.way(broker);
    const answer = this.way(client);
    eachFrame(client, (frame) => {
      const request = requestIn(frame);
      this.seen.set(request, (this.seen.get(request) ?? 0) + 1);
      asked.set(frame.readInt32BE(8), request);
      ask(frame);
    });
    eachFrame(broker, (frame) => {
      const correlation = frame.readInt32BE(4);
      const request = asked.get(correlation) ?? -1;
      asked.delete(correlation);
      if (this.loses(request)) {
        client.destroy();
        broker.destroy();
      } else answer(frame);
    });
  }

  private loses(request: number): boolean {
    const wanted = this.toLose.get(request) ?? 0;
    if (wanted === 0) return false;
    this.toLose.set(request, wanted - 1);
    this.lost.set(request, (this.lost.get(request) ?? 0) + 1);
    return true;
  }

  /** Frames of one direction, in order, as late as the network is slow. */
  private way(to: Socket): (frame: Buffer) => void {
    let freeAt = 0;
    return (frame) => {
      if (this.dead) return;
      const due = Math.max(freeAt, performance.now() + this.delayMs);
      const wait = due - performance.now();
      if (this.delayMs === 0 && freeAt <= performance.now()) return void to.write(frame);
      freeAt = due;
      setTimeout(() => {
        if (!this.dead && !to.destroyed) to.write(frame);
      }, wait);
    };
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(this.servers.map((server) => new Promise((done) => server.close(done))));
  }
}

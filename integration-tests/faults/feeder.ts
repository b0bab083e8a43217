/** Keeps the swarm busy: as many missions under way as it is told, of all shapes in turn. */
import { newMissionTraceparent } from '#chassis/mission-trace.ts';
import type { ServiceContext } from '#chassis/service-context.ts';
import { missionCommand } from '#schemas/mission-command.ts';
import type { MissionCommand } from '#schemas/types.gen.ts';
import type { Checker } from './checker/checker.ts';
import type { Shaped } from './draft.ts';
import type { Random } from './random.ts';
import { shapeMission, shapeNames } from './shapes.ts';

export class Feeder {
  private readonly context: ServiceContext;
  private readonly checker: Checker;
  private readonly random: Random;
  readonly missions = new Map<string, Shaped>();
  /** Those that the broker has acknowledged. */
  readonly acknowledged = new Set<string>();
  /** Submitted a second time, as people and networks do. */
  repeated = 0;
  /** Records that nobody can read; each has to become a dead letter. */
  poison = 0;
  /** Those that the campaign no longer waits for. */
  private readonly abandoned = new Set<string>();
  /** Feed only these shapes; empty: all. */
  only: readonly string[] = [];
  /** To be submitted a second time when they have ended. */
  private readonly again = new Set<string>();
  private timer: NodeJS.Timeout | null = null;
  private readonly asked = new Set<Promise<void>>();

  constructor(context: ServiceContext, checker: Checker, random: Random) {
    this.context = context;
    this.checker = checker;
    this.random = random;
  }

  /** Missions that were submitted and have not ended. */
  get open(): readonly string[] {
    return [...this.missions.keys()].filter(
      (id) => !this.abandoned.has(id) && (this.checker.missions.get(id)?.end ?? '') === '',
    );
  }

  abandon(id: string): void {
    this.abandoned.add(id);
  }

  start(inFlight: number, most = Number.POSITIVE_INFINITY): void {
    const from = this.missions.size;
    const fill = () => {
      for (let open = this.open.length; open < inFlight && this.missions.size - from < most; open++)
        this.ask(this.submitNext());
      for (const id of this.again) if (this.checker.missions.get(id)?.end) this.ask(this.submitAgain(id));
    };
    fill();
    this.timer = setInterval(fill, 200);
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  /** All that was asked for has been acknowledged. */
  async acknowledgedAll(): Promise<void> {
    await Promise.all(this.asked);
  }

  private ask(work: Promise<void>): void {
    const tracked = work.finally(() => this.asked.delete(tracked));
    this.asked.add(tracked);
  }

  private async submitNext(): Promise<void> {
    const number = this.missions.size;
    const random = this.random.fork(`mission-${number}`);
    const names = this.only.length > 0 ? this.only : shapeNames;
    const name = names[number % names.length] ?? '';
    const id = `f${String(number).padStart(5, '0')}-${name}`;
    const shaped = shapeMission(id, name, random);
    this.missions.set(id, shaped);
    await this.send(shaped.command);
    this.acknowledged.add(id);
    if (random.chance(0.1)) {
      this.repeated += 1;
      await this.send(shaped.command);
    }
    if (random.chance(0.2)) this.again.add(id);
    if (number % 40 === 20) {
      this.poison += 1;
      const value = Buffer.from(`not a mission ${number}`);
      await this.context.publisher.send(this.context.topics.missions, [{ key: `poison-${number}`, value }]);
    }
  }

  /** One that has ended long since: whoever forgets it runs it a second time. */
  private async submitAgain(id: string): Promise<void> {
    this.again.delete(id);
    const command = this.missions.get(id)?.command;
    if (command === undefined) return;
    this.repeated += 1;
    await this.send(command);
  }

  /** Any command of a person. */
  async send(command: Partial<MissionCommand> & { readonly correlation_id: string }): Promise<void> {
    const { codec, publisher, topics } = this.context;
    const id = command.correlation_id;
    const value = codec.encodeRecord('MissionCommand', missionCommand(command));
    const headers = { traceparent: newMissionTraceparent(id) };
    await publisher.send(topics.missions, [{ key: id, value, headers }]);
  }
}

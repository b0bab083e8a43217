import { type Payload, text } from './wire.ts';

/** What a mission did and what it undid: all that can be undone, once each, the last first. */
export class SagaBook {
  private readonly undoable = new Set<string>();
  private readonly done: string[] = [];
  private readonly undone: string[] = [];
  private undoing = false;
  private failed = false;

  plan(tasks: readonly Payload[]): void {
    for (const task of tasks) {
      const can = task['compensation'] !== null && task['compensation'] !== undefined;
      if (can && text(task['compensates']) === '') this.undoable.add(text(task['id']));
    }
  }

  take(type: string, payload: Payload): void {
    const task = text(payload['task_id']);
    if (type === 'undoing_started') this.undoing = true;
    else if (type === 'compensation_failed') this.failed = true;
    else if (type === 'compensation_completed') this.undone.push(text(payload['compensates']));
    else if (type === 'task_completed' && this.undoable.has(task)) this.done.push(task);
  }

  /** What is wrong with it at the end of the mission. A person may have stopped an undoing that failed. */
  wrong(): readonly string[] {
    if (!this.undoing) return this.undone.length > 0 ? ['undone without an undoing'] : [];
    if (this.failed) return [];
    const expected = this.done.toReversed();
    if (expected.join() === this.undone.join()) return [];
    return [`undone: ${this.undone.join(', ')}; expected ${expected.join(', ')}`];
  }
}

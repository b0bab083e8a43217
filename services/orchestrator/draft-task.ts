/** A task of a plan in the making: what the decomposer and the hierarchy give to whoever makes `TaskSpec`s of them. */
export interface DraftTask {
  /** As a task id of a plan: 1 to 128 letters, digits, dots, dashes or underscores. */
  readonly id: string;
  readonly role: string;
  readonly description: string;
  readonly needs: readonly string[];
  /** It runs when all it needs have ended, failed ones included. Default: false. */
  readonly partial?: boolean;
  /** Default: '', a piece of work. */
  readonly kind?: '' | 'synthesis';
  /** Milliseconds of one attempt. Default: as the policy says. */
  readonly timeout_ms?: number;
  /** How to undo it, for an agent of the same role. Default: nothing to undo. */
  readonly compensation?: { readonly description: string; readonly script: null } | null;
}

/** What is free of a name: the name itself, or with `-2`, `-3` … behind it; then taken. */
export function takeId(wanted: string, taken: Set<string>): string {
  let id = wanted;
  for (let number = 2; taken.has(id); number += 1) id = `${wanted}-${number}`;
  taken.add(id);
  return id;
}

/** `planFrom` takes 240,000 bytes, with what up to 2,000 tasks need beside their text. */
export const roomOfPlan = 150_000;

/** Bytes of a task's text. */
export function bytesOf({ id, role, description, needs, compensation }: DraftTask): number {
  const texts = [id, role, description, ...needs, compensation?.description ?? ''];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

/** A text of at most so many bytes: whole, or its beginning and end around a line that says how much is left out. */
export function excerpt(text: string, room: number): string {
  if (Buffer.byteLength(text) <= room) return text;
  const all = Array.from(text);
  const widest = Math.max(1, Math.floor((room - 60) / 4));
  // Most letters take fewer than four bytes: as many as do fit.
  let kept = Math.min(all.length, widest * 4);
  const cutTo = (count: number): string => {
    const head = Math.ceil(count * 0.75);
    const tail = count - head;
    const left = all.length - count;
    const end = tail === 0 ? '' : all.slice(-tail).join('');
    return `${all.slice(0, head).join('')}\n[… ${left} characters left out …]\n${end}`;
  };
  while (kept > widest && Buffer.byteLength(cutTo(kept)) > room)
    kept = Math.max(widest, Math.floor(kept * 0.9));
  return cutTo(kept);
}

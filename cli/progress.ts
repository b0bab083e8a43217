import type { Output } from './output.ts';

/** Says now and then how far a long reading is. `end` has to be called. */
export function progressOf(output: Pick<Output, 'note'>, what: string) {
  let read = 0;
  const said = setInterval(() => output.note(`… ${read} ${what} read`), 2000);
  return { one: () => void (read += 1), end: () => clearInterval(said) };
}

/** Lines that stay, and on a terminal one below them that does not: what is going on right now. */
export interface Progress {
  say(line: string): void;
  /** What the last line shows; nothing where there is no terminal. */
  now(text: string): void;
  end(): void;
}

export function openProgress(out: NodeJS.WriteStream): Progress {
  const began = Date.now();
  const at = () => `${((Date.now() - began) / 1000).toFixed(0).padStart(5)} s  `;
  const clear = out.isTTY ? '\r\x1b[K' : '';
  return {
    say: (line) => void out.write(`${clear}${at()}${line}\n`),
    now(text) {
      if (out.isTTY) out.write(`${clear}${`${at()}${text}`.slice(0, out.columns - 1)}`);
    },
    end: () => void out.write(clear),
  };
}

import type { Sink } from './output.ts';
import { coloredText } from './terminal-text.ts';

/** Lines at the end of the screen that are drawn over again. */
export interface LiveArea {
  draw(lines: readonly string[]): void;
  /** Leaves what was drawn last standing, and gives the cursor back. */
  end(): void;
}

const escape = '\u001b[';
const clearToEndOfLine = `${escape}K`;
const clearBelow = `${escape}J`;
const hideCursor = `${escape}?25l`;
const showCursor = `${escape}?25h`;
/** Terminals that know it show nothing in between; others ignore it. */
const beginUpdate = `${escape}?2026h`;
const endUpdate = `${escape}?2026l`;

/** Only lines that changed are written, in one write, so that nothing flickers. */
export function liveArea(screen: Sink): LiveArea {
  let drawn: readonly string[] = [];
  let columns = screen.columns;
  // However the process ends, the cursor is not lost.
  const restore = () => void screen.write(showCursor);
  return {
    draw(given) {
      const lines = given.map(coloredText);
      // After the terminal was resized, lines are wrapped anew and nothing is where it was.
      const all = screen.columns !== columns;
      columns = screen.columns;
      if (!all && lines.length === drawn.length && lines.every((line, index) => line === drawn[index]))
        return;
      if (drawn.length === 0) process.once('exit', restore);
      let text = drawn.length === 0 ? hideCursor : `${escape}${drawn.length}A`;
      lines.forEach((line, index) => {
        text += !all && index < drawn.length && line === drawn[index] ? '\n' : `${line}${clearToEndOfLine}\n`;
      });
      if (lines.length < drawn.length || all) text += clearBelow;
      screen.write(`${beginUpdate}\r${text}${endUpdate}`);
      drawn = [...lines];
    },
    end() {
      process.off('exit', restore);
      if (drawn.length > 0) restore();
      drawn = [];
    },
  };
}

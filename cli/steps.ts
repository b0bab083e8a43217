import { duration, megabytes } from './format.ts';
import { liveArea } from './live-area.ts';
import type { Colors, Output } from './output.ts';
import { cut } from './table.ts';

/** One thing under way, as the stack and `up` tell it. */
export interface StepReport {
  readonly step: string;
  readonly state: 'start' | 'progress' | 'done' | 'failed';
  readonly done?: number;
  readonly total?: number;
  readonly unit?: 'bytes' | 's';
  readonly note?: string;
}

/** Shows steps while they are taken: drawn over again on a terminal, a line for each change elsewhere. */
export interface StepShow {
  report(report: StepReport): void;
  end(): void;
}

interface Shown {
  readonly report: StepReport;
  readonly since: number;
  readonly until: number | null;
}

const redrawMs = 100;
/** Elsewhere than on a terminal, how far something is is said this often. */
const sayEveryMs = 5000;

export function showSteps(output: Output): StepShow {
  if (output.json) return { report: () => undefined, end: () => undefined };
  return output.live ? onTerminal(output) : inLines(output);
}

function onTerminal({ screen, colors }: Output): StepShow {
  const area = liveArea(screen);
  const steps = new Map<string, Shown>();
  const draw = () =>
    area.draw(
      [...steps.values()].map((shown) => cut(stepLine(shown, performance.now(), colors), screen.columns)),
    );
  const timer = setInterval(draw, redrawMs);
  return {
    report(report) {
      const before = steps.get(report.step);
      const now = performance.now();
      const over = report.state === 'done' || report.state === 'failed';
      // A note stays until another comes: "port 19092 is taken, using 19093" must not flash by.
      const note = report.note ?? before?.report.note;
      const kept = note === undefined ? report : { ...report, note };
      steps.set(report.step, { report: kept, since: before?.since ?? now, until: over ? now : null });
    },
    end() {
      clearInterval(timer);
      draw();
      area.end();
    },
  };
}

function inLines(output: Output): StepShow {
  const begun = new Map<string, number>();
  const said = new Map<string, number>();
  return {
    report(report) {
      const now = performance.now();
      const since = begun.get(report.step) ?? now;
      begun.set(report.step, since);
      const over = report.state === 'done' || report.state === 'failed';
      const counted = report.state === 'progress' && report.done !== undefined;
      if (counted && now - (said.get(report.step) ?? 0) < sayEveryMs) return;
      if (report.state === 'start' && report.note === undefined) return;
      said.set(report.step, now);
      output.note(stepLine({ report, since, until: over ? now : null }, now, output.colors, '…'));
    },
    end: () => undefined,
  };
}

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** @param turning What stands before a step that is under way; by default something that turns. */
export function stepLine(
  { report, since, until }: Shown,
  now: number,
  colors: Colors,
  turning = spinner[Math.floor(now / 100) % spinner.length] ?? '',
): string {
  const { step, state, note } = report;
  const glyph =
    state === 'done' ? colors.green('✔') : state === 'failed' ? colors.red('✖') : colors.cyan(turning);
  const took = (until ?? now) - since;
  const parts = [`${glyph} ${step}`];
  const far = howFar(report);
  if (far !== '' && until === null) parts.push(far);
  if (took >= 100) parts.push(colors.dim(duration(took)));
  if (note !== undefined) parts.push(colors.dim(note));
  return parts.join('  ');
}

/** `12.3 of 170.0 MB`, `7 of 50`; empty when nobody counts. */
export function howFar({ done, total, unit }: StepReport): string {
  if (done === undefined) return '';
  switch (unit) {
    case 'bytes':
      return total === undefined
        ? megabytes(done)
        : `${megabytes(done).replace(' MB', '')} of ${megabytes(total)}`;
    case 's':
      return total === undefined
        ? `${Math.round(done)} s`
        : `${Math.round(done)} of at most ${Math.round(total)} s`;
    case undefined:
      return total === undefined ? String(done) : `${done} of ${total}`;
    default:
      return unit satisfies never;
  }
}

/** What a caller of `up` and `down` is told meanwhile. `done` and `total` are in `unit`. */
export interface Progress {
  step: Step;
  state: 'start' | 'progress' | 'done' | 'failed';
  done?: number;
  total?: number;
  unit?: 'bytes' | 's';
  /** One line for people. */
  note?: string;
}

export type Step = 'address' | 'ports' | 'download' | 'docker' | 'kafka' | 'postgres' | 'registry';

export type Report = (progress: Progress) => void;

import type { Aspect } from './strategies.ts';

/**
 * Reviews from one point of view each, for when more tasks are asked for than the work has parts. Their words differ so
 * much (under 0.2 of them shared) that no task can be like two of them; as there are fifteen, there is always one left
 * that no other task of a plan of fifteen is like.
 */
export const reviews: readonly Aspect[] = [
  { key: 'coverage', goal: 'Review coverage: which wish in the brief has no answer yet?' },
  { key: 'consistency', goal: 'Review consistency: names, numbers, paths that contradict one another.' },
  { key: 'safety', goal: 'Review security: leaks, needless permissions, untrusted input.' },
  { key: 'failure', goal: 'Review failure handling: crashes, timeouts, half-finished states.' },
  { key: 'assumptions', goal: 'Review unspoken assumptions, testing those which would hurt.' },
  { key: 'clarity', goal: 'Review clarity: wording, structure, jargon a newcomer stumbles over.' },
  { key: 'cost', goal: 'Review cost: money, effort spent now, upkeep later.' },
  { key: 'speed', goal: 'Review speed under load: bottlenecks, waiting, growth tenfold.' },
  { key: 'privacy', goal: 'Review privacy: personal details, retention, consent.' },
  { key: 'licences', goal: 'Review licences, copyright, regulation, contracts.' },
  { key: 'simplicity', goal: 'Review simplicity: duplicates, detours, pieces nobody misses.' },
  { key: 'repeat', goal: 'Review reproducibility by repeating one procedure from scratch.' },
  { key: 'access', goal: 'Review accessibility: languages, devices, disabilities.' },
  { key: 'maintenance', goal: 'Review maintainability: ownership, updates, retirement.' },
  { key: 'alternatives', goal: 'Review rejected alternatives, arguing honestly for the best.' },
];

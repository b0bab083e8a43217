/** Missions of mixed shape. What each step does is written down by the step itself, in a file outside the system. */
import type { MissionCommand } from '#schemas/types.gen.ts';
import { type Call, Draft, limits, quick, type Shaped } from './draft.ts';
import type { Random } from './random.ts';
import { reactions } from './reacting.ts';

export const roles = { builder: 'builder', checker: 'checker', careful: 'careful' } as const;

const shell = (name: string) => `---
name: ${name}
description: runs the commands of the campaign
tools: [execute_terminal_command]
sandbox: { shell: true }
limits: { max_steps: 50, timeout_ms: 120000, concurrency: 16 }
---
Do what the task says.
`;

/** The files of the roles, by name. The careful one asks a person before what it does counts. */
export const roleFiles: Readonly<Record<string, string>> = {
  [roles.builder]: shell(roles.builder),
  [roles.checker]: shell(roles.checker),
  [roles.careful]: `---
name: careful
description: asks before it acts
tools: [execute_terminal_command]
sandbox: { shell: true }
policy:
  - { tool: execute_terminal_command, then: ask, expires: 1h, reason: a person has to say yes }
limits: { max_steps: 50, timeout_ms: 120000, concurrency: 16 }
---
Do what the task says.
`,
};

export type Shape = (
  draft: Draft,
  random: Random,
) => Omit<Partial<MissionCommand>, 'tasks'> & { readonly end?: Shaped['end'] };

const workers = [roles.builder, roles.checker] as const;

/** Three waves, each task of which needs all of the wave before. */
const waves: Shape = (draft, random) => {
  let before: string[] = [];
  for (let wave = 1; wave <= 3; wave++) {
    const ids = Array.from({ length: random.int(1, 3) }, (_, i) => `w${wave}-${i}`);
    for (const id of ids)
      draft.add({ id, role: random.pick(workers), needs: before }, [quick(random), quick(random)]);
    before = ids;
  }
  return {};
};

/** Tasks that need some of those before them, and join in one. */
const joins: Shape = (draft, random) => {
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) {
    const needs = ids.filter(() => random.chance(0.5)).slice(0, 3);
    draft.add({ id: `n${i}`, role: random.pick(workers), needs }, [quick(random)]);
    ids.push(`n${i}`);
  }
  draft.add({ id: 'join', role: roles.checker, needs: ids }, [quick(random)]);
  return {};
};

/** One that fails for good, what needs it is cancelled, and a last task makes do with what there is. */
const partial: Shape = (draft, random) => {
  draft.add({ id: 'good', role: roles.builder }, [quick(random)]);
  draft.add({ id: 'bad', role: roles.checker, max_attempts: 1 }, [{ pause: 0.1, fails: true }]);
  draft.add({ id: 'after-bad', role: roles.builder, needs: ['bad'] }, [quick(random)]);
  draft.add({ id: 'last', role: roles.checker, needs: ['good', 'bad'], partial: true }, [quick(random)]);
  return { on_failure: 'continue', end: null };
};

/** Attempts that fail and are tried again: their timers are all that keeps the mission going. */
const retries: Shape = (draft, random) => {
  draft.add({ id: 'first', role: roles.builder }, [quick(random), { pause: 0.05, flaky: true }]);
  draft.add({ id: 'second', role: roles.checker, needs: ['first'] }, [{ pause: 0.05, flaky: true }]);
  return {};
};

/** Calls that a person has to approve: parked without a worker. */
const reviews: Shape = (draft, random) => {
  draft.add({ id: 'before', role: roles.builder }, [quick(random)]);
  draft.add({ id: 'asks', role: roles.careful, needs: ['before'] }, [
    { pause: 0.1, once: random.chance(0.5) },
  ]);
  return {};
};

/** Effects that must not happen twice: where a kill hides one, a person looks. */
const once: Shape = (draft, random) => {
  draft.add({ id: 'pay', role: roles.builder }, [{ pause: 0.3, once: true }, quick(random)]);
  draft.add({ id: 'tell', role: roles.checker, needs: ['pay'] }, [{ pause: 0.2, once: true }]);
  return {};
};

/** Some seconds in one step, so that whatever happens to its worker happens to it. */
const long: Shape = (draft, random) => {
  for (let i = 0; i < 2; i++)
    draft.add({ id: `long-${i}`, role: random.pick(workers) }, [
      { pause: 1 + random.next() * 3 },
      quick(random),
    ]);
  return {};
};

/** Three steps that can be undone, and one that fails: what was done is undone, the last first. */
const saga: Shape = (draft, random) => {
  const ids = ['build', 'test', 'stage'];
  ids.forEach((id, i) => {
    const undo: Call = { pause: 0.1, ...(i === 1 ? { flaky: true } : {}) };
    draft.addUndone({ id, role: random.pick(workers), needs: ids.slice(0, i) }, [quick(random)], undo);
  });
  draft.add({ id: 'go-live', role: roles.builder, needs: ids, max_attempts: 1 }, [
    { pause: 0.1, fails: true },
  ]);
  return { on_failure: 'compensate', end: 'mission_failed' };
};

const shapes: Readonly<Record<string, Shape>> = {
  waves,
  joins,
  partial,
  retries,
  reviews,
  once,
  long,
  saga,
  reactions,
};
export const shapeNames = Object.keys(shapes);

/** The n-th mission of the campaign. */
export function shapeMission(id: string, name: string, random: Random): Shaped {
  const shape = shapes[name];
  if (shape === undefined) throw new Error(`no shape ${name}`);
  const draft = new Draft();
  const { end = 'mission_completed', ...command } = shape(draft, random);
  return {
    command: { correlation_id: id, name, tasks: draft.tasks, limits, ...command },
    steps: draft.steps,
    // What a failed mission did not come to is not told beforehand.
    must: end === 'mission_completed' ? draft.must : [],
    end,
  };
}

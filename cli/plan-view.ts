import type { TaskSpec } from '#schemas/types.gen.ts';
import { oneLine } from './format.ts';
import { mermaidText } from './mermaid-text.ts';
import { cut, table } from './table.ts';

/** A task of a plan as it is shown; `wave` counts from 1, 0 is planning. */
export type ViewTask = Pick<TaskSpec, 'id' | 'role' | 'description' | 'needs' | 'wave'> & {
  /** It runs also when some of its needs have failed. */
  readonly partial?: boolean;
};

const mostNeeds = 40;
const mostLabel = 60;

/** A plan as lines: wave, id, role, needs and what is to be done, wave by wave; as wide as the terminal at most. */
export function planTable(tasks: readonly ViewTask[], columns?: number): string[] {
  const rows = inWaves(tasks).flatMap(([wave, members]) =>
    members.map(({ task }) => [
      wave,
      oneLine(task.id),
      oneLine(task.role),
      cut(oneLine(task.needs.join(', ')), mostNeeds),
      outline(task.description, 200),
    ]),
  );
  return table(['wave', 'id', 'role', 'needs', 'description'], rows, columns);
}

/**
 * A plan as a Mermaid drawing, a box around each wave; dotted arrows lead to tasks that run also when some of their
 * needs have failed. Whatever the texts are, they are labels and nothing else.
 */
export function planMermaid(tasks: readonly ViewTask[]): string {
  const index = new Map(tasks.map(({ id }, position) => [id, position]));
  const boxes = inWaves(tasks).flatMap(([wave, members]) => [
    `  subgraph wave${wave}["${wave === 0 ? 'planning' : `wave ${wave}`}"]`,
    ...members.map(({ task, position }) => `    t${position}["${label(task)}"]`),
    '  end',
  ]);
  const arrows = tasks.flatMap(({ needs, partial = false }, position) =>
    needs.flatMap((id) => {
      const need = index.get(id);
      return need === undefined ? [] : [`  t${need} ${partial ? '-.->' : '-->'} t${position}`];
    }),
  );
  return ['flowchart LR', ...boxes, ...arrows, ''].join('\n');
}

interface Member {
  readonly task: ViewTask;
  readonly position: number;
}

function inWaves(tasks: readonly ViewTask[]): [wave: number, members: Member[]][] {
  const waves = new Map<number, Member[]>();
  tasks.forEach((task, position) => {
    waves.set(task.wave, [...(waves.get(task.wave) ?? []), { task, position }]);
  });
  return [...waves].sort(([a], [b]) => a - b);
}

/** The first paragraph in one line: what comes after it in a description is context. */
function outline(description: string, most: number): string {
  const [first = ''] = description.trim().split(/(?:\r?\n){2}/, 1);
  return oneLine(first.replace(/\s+/g, ' '), most);
}

function label({ id, role, description }: ViewTask): string {
  const says = outline(description, mostLabel);
  return [id, role, ...(says === '' ? [] : [says])].map(mermaidText).join('<br/>');
}

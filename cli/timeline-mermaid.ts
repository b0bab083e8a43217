/** A timeline as Mermaid drawings. Whatever the texts are, they are labels and nothing else. */
import { factDetail } from './fact-line.ts';
import { oneLine } from './format.ts';
import { mermaidText } from './mermaid-text.ts';
import type { Moment, Timeline } from './timeline.ts';
import { factMark, missionMarks, nested, offset } from './timeline-view.ts';

/** What Mermaid draws unless its settings say more. */
export const mermaidLimits = { characters: 50_000, arrows: 500 } as const;

const longestLabel = 80;

/** Who told whom what, in order; a dotted arrow is a reaction to something that happened. */
export function timelineSequence(timeline: Timeline, moments: readonly Moment[]): string {
  const marks = missionMarks(timeline);
  const names = [...new Set(moments.flatMap(({ fact }) => [fact.source_agent, fact.target_agent]))];
  const numbers = new Map(names.map((name, at) => [name, `p${at}`]));
  const participants = names.map((name) => `  participant ${numbers.get(name)} as ${label(name)}`);
  const messages = moments.flatMap(({ fact, cause, by, after }) => {
    const from = numbers.get(fact.source_agent);
    const to = numbers.get(fact.target_agent);
    const reacts = cause.kind === 'fact' && cause.link === 'reacts';
    const why = reacts && by !== null ? [`reacts to ${factMark(marks, by)}`] : [];
    const texts = [`${factMark(marks, fact)} ${fact.event_type}`, detail(fact), ...why, offset(after)];
    const text = texts
      .filter((each) => each !== '')
      .map(mermaidText)
      .join('<br/>');
    return [`  ${from}${reacts ? '-->>' : '->>'}${to}: ${text}`];
  });
  return ['sequenceDiagram', ...participants, ...messages, ''].join('\n');
}

/** What led to what, a box around each mission; a dotted arrow is a reaction to something that happened. */
export function timelineFlow(timeline: Timeline, moments: readonly Moment[]): string {
  const marks = missionMarks(timeline);
  const { parents } = nested(timeline, moments);
  const numbers = new Map(moments.map(({ fact }, at) => [fact.event_id, `f${at}`]));
  const boxes = timeline.missions.flatMap(({ id, name }, at) => {
    const own = moments.filter(({ fact }) => fact.correlation_id === id);
    if (own.length === 0) return [];
    const title = [marks(id), oneLine(name, longestLabel) || id].filter((each) => each !== '').join(' ');
    return [
      `  subgraph mission${at}["${label(title)}"]`,
      ...own.map(({ fact }) => {
        const texts = [`${factMark(marks, fact)} ${fact.event_type}`, detail(fact)];
        const text = texts
          .filter((each) => each !== '')
          .map(mermaidText)
          .join('<br/>');
        return `    ${numbers.get(fact.event_id)}["${text}"]`;
      }),
      '  end',
    ];
  });
  const arrows = moments.flatMap(({ fact, cause }) => {
    const from = numbers.get(parents.get(fact.event_id) ?? '');
    if (from === undefined) return [];
    const reacts = cause.kind === 'fact' && cause.link === 'reacts';
    return [`  ${from} ${reacts ? '-.->' : '-->'} ${numbers.get(fact.event_id)}`];
  });
  return ['flowchart TD', ...boxes, ...arrows, ''].join('\n');
}

const detail = (fact: Moment['fact']): string => oneLine(factDetail(fact), longestLabel);

/** A label that is never empty. */
const label = (text: string): string => {
  const said = mermaidText(oneLine(text, longestLabel));
  return said.trim() === '' ? '-' : said;
};

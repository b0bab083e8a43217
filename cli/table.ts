import { stripVTControlCharacters } from 'node:util';

export type Cell = string | number | null | undefined;

/**
 * Rows below their headings, each column as wide as its widest cell. Numbers are set to the right. The last column is
 * cut where the terminal ends, if it says where.
 */
export function table(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  columns?: number,
): string[] {
  const texts = rows.map((row) => headings.map((_, column) => show(row[column])));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...texts.map((row) => width(row[column] ?? ''))),
  );
  const right = headings.map((_, column) => rows.length > 0 && rows.every((row) => isNumber(row[column])));
  const format = (cells: readonly string[]): string => {
    const padded = cells.map((cell, column) => {
      const gap = ' '.repeat(Math.max(0, (widths[column] ?? 0) - width(cell)));
      return right[column] ? gap + cell : cell + gap;
    });
    return cut(padded.join('  ').trimEnd(), columns);
  };
  return [headings.map((heading) => heading.toUpperCase()), ...texts].map(format);
}

/** Columns that a text takes. Every letter counts as one: names and ids here are not Chinese. */
export function width(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** A text that fits into so many columns; its colours are dropped where it must be cut. */
export function cut(text: string, columns: number | undefined): string {
  if (columns === undefined || columns <= 0 || width(text) <= columns) return text;
  return `${stripVTControlCharacters(text).slice(0, columns - 1)}…`;
}

const isNumber = (cell: Cell): boolean => typeof cell === 'number' || cell === null || cell === undefined;

/** One line, whatever the cell holds: a task's result may have many, and escapes. */
function show(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  return String(cell).replace(/\s*[\r\n]+\s*/g, ' ');
}

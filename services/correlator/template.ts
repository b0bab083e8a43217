import { cut } from '#orchestrator/cut.ts';
import { neutralise } from '#worker/safety/neutralise.ts';
import { type EventView, valueAt } from './event-view.ts';

/**
 * `{{payload.task_id}}` in a text is taken from the event. Scripts are not templates: a value of an event in a command
 * would be a command.
 */

const placeholder = /\{\{\s*([^{}\s]{1,200})\s*\}\}/g;
const whole = /^\{\{\s*([^{}\s]{1,200})\s*\}\}$/;

/** Bytes of one value, and of a whole text. */
const mostOfEach = 2 * 1024;
const mostText = 8 * 1024;
/** A task's id becomes a key. */
const longestId = 128;

/** The paths that a text takes from its event. */
export const pathsOf = (text: string): string[] =>
  [...text.matchAll(placeholder)].map(([, path = '']) => path);

/**
 * A text that an agent reads as its instruction. The values come from whoever caused the event: they are neutralised,
 * and the agent has the whole event as data besides.
 */
export function instruction(text: string, view: EventView): string {
  if (!text.includes('{{')) return text;
  const filled = text.replace(placeholder, (_, path: string) =>
    neutralise(cut(asText(valueAt(view.fields, path)), mostOfEach)),
  );
  return cut(filled, mostText);
}

/** An id of a task: what may not stand in one becomes a dash. Empty where nothing is left. */
export function identifier(text: string, view: EventView): string {
  return text
    .replace(placeholder, (_, path: string) => asText(valueAt(view.fields, path)))
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, longestId);
}

/**
 * JSON text of which each text is a template. A text that is nothing but a placeholder becomes the value itself, of
 * whatever type; null where the event has none.
 */
export function filledJson(text: string, view: EventView): string {
  if (!text.includes('{{')) return text;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text;
  }
  return JSON.stringify(filled(value, view));
}

function filled(value: unknown, view: EventView): unknown {
  if (typeof value === 'string') {
    const path = whole.exec(value)?.[1];
    if (path !== undefined) return valueAt(view.fields, path) ?? null;
    return value.replace(placeholder, (_, each: string) => asText(valueAt(view.fields, each)));
  }
  if (Array.isArray(value)) return value.map((each) => filled(each, view));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, filled(each, view)]));
}

function asText(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean);
}

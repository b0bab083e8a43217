/** Answers that have to be JSON of a schema: how a model is told, where it cannot be bound, and how one is read. */
import { z } from 'zod';
import type { AnswerSchema } from './model.ts';

/** The schema that a model is asked for. */
export function answerSchema(name: string, schema: z.ZodObject): AnswerSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return { name, schema: rest };
}

/** What a model is told that cannot be asked for JSON natively: the end of its system prompt. */
export function jsonInstruction({ name, schema }: AnswerSchema): string {
  return (
    `Your final answer is one JSON document (${name}) and nothing else: no words around it, no fence. ` +
    `It has to be valid by this JSON schema:\n${JSON.stringify(schema)}`
  );
}

export type ParsedAnswer<T> =
  | { readonly ok: true; readonly value: T }
  /** `problems`: each one thing that is wrong, with where, in words that a model can mend it by. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads an answer. One fence of Markdown around it is forgiven. */
export function parseAnswer<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
): ParsedAnswer<z.output<Schema>> {
  let value: unknown;
  try {
    value = JSON.parse(unfenced(text));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ok: false, problems: [`found text that is not JSON (${why}), expected one JSON document`] };
  }
  const read = schema.safeParse(value);
  if (read.success) return { ok: true, value: read.data };
  return {
    ok: false,
    problems: read.error.issues.map((issue) => `${issue.path.join('.') || 'the answer'}: ${issue.message}`),
  };
}

const unfenced = (text: string): string =>
  /^\s*```(?:json)?[ \t]*\r?\n(?<inside>.*?)\r?\n?```\s*$/s.exec(text)?.groups?.['inside'] ?? text;

import type { AnswerSchema } from './models/model.ts';

/** An answer that has to be JSON of a schema, and more than a schema can say. */
export interface AnswerSpec {
  readonly schema: AnswerSchema;
  /** What is wrong with the answer, for the model to mend; empty: nothing. */
  problems(text: string): readonly string[];
  /** The result that an answer without problems is; as JSON text. */
  value(text: string): string;
}

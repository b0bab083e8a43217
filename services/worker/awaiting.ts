/** A task can wait for what another one provides: it is parked as it is for a person. */
import type { ReviewAnswer } from '#schemas/types.gen.ts';

/** What a call waits for, and why. */
export interface Requirement {
  readonly dependency: string;
  readonly reason: string;
}

/** The attempt waits for another task: its slot is free, its journal stays, and a resume goes on at this step. */
export class Awaiting extends Error {
  readonly requirement: Requirement & { readonly step: number };

  constructor(requirement: Requirement, step: number) {
    super(`waits for ${requirement.dependency}`);
    this.name = 'Awaiting';
    this.requirement = { ...requirement, step };
  }
}

/** What came of it; null: nobody has answered this step. */
export function answerTo(
  answers: readonly ReviewAnswer[],
  { dependency }: Requirement,
  step: number,
): ReviewAnswer | null {
  const review_id = `dependency/${dependency}`;
  return answers.findLast((answer) => answer.review_id === review_id && answer.step === step) ?? null;
}

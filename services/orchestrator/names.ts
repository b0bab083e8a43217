/** What ids and names look like. */

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** A role is part of a topic's name. */
const rolePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** How a model is named: the provider, and what the provider calls it. */
export const modelPattern = /^[a-z][a-z0-9_-]{0,31}\/[^\s]{1,200}$/;
/** Ids that the orchestrator gives itself: of the planning, of plans that are made anew, and of what undoes a task. */
const takenPattern = /^(plan|replan-\d+|r\d+\..*|p\..*|undo-.*)$/;

export const isId = (name: string): boolean => idPattern.test(name);
export const isRole = (name: string): boolean => rolePattern.test(name);
/** Whether a reaction may not ask for a task of this id. */
export const isTaken = (id: string): boolean => takenPattern.test(id);

import type { Figures } from './figures.ts';
export function writeDocument(_figures: Figures): void {}

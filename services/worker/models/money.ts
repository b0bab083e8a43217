/**
 * Money is counted in whole nano-dollars (10^-9 USD), so that sums are exact: a price per million tokens with at most
 * three decimals is a whole number of nano-dollars for each token. Where a field is in USD, it is nanos / 10^9.
 */

const NANOS = 1_000_000_000;

/** The nano-dollars of an amount in USD: exact for what `usdOf` made, up to 2 million USD. */
export const nanosOf = (usd: number): number => Math.round(usd * NANOS);

export const usdOf = (nanos: number): number => nanos / NANOS;

/** Adds amounts in USD without the errors of binary fractions. */
export const addUsd = (a: number, b: number): number => usdOf(nanosOf(a) + nanosOf(b));

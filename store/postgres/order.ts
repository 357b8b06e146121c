/**
 * How a list is ordered: the newest first, or by the column `rank`: what is open first and the gravest of it first, the
 * newest of equal ones.
 */
export const ORDERS = ['newest', 'worst'] as const;
export type Order = (typeof ORDERS)[number];

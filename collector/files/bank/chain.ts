import { compareAmounts } from '../../../model/money.ts';
import type { StatementFacts } from '../format.ts';

/** The parts of a statement's number by which pages and days follow each other: `12/2` → 12, 2. */
const numbersOf = (text: string): number[] => (text.match(/\d+/g) ?? []).map(Number);

/** −1, 0 or 1: by closing date, then by number. */
export function compareStatements(a: StatementFacts, b: StatementFacts): number {
  if (a.closingDate !== b.closingDate) return a.closingDate < b.closingDate ? -1 : 1;
  const [x, y] = [numbersOf(a.number), numbersOf(b.number)];
  for (let i = 0; i < Math.max(x.length, y.length); i++) {
    const [m = 0, n = 0] = [x[i], y[i]];
    if (m !== n) return m < n ? -1 : 1;
  }
  return 0;
}

/** Statements of one account and currency, each once, in their order. */
export function chainOf(statements: readonly StatementFacts[]): StatementFacts[] {
  const once = new Map(statements.map((one) => [one.id, one]));
  return [...once.values()].sort(compareStatements);
}

/** Does `next` open with what `before` closed with? */
export const follows = (before: StatementFacts, next: StatementFacts): boolean =>
  compareAmounts(before.closing, next.opening) === 0;

/** The closing date up to which the chain has no gap; undefined for an empty one. */
export function unbrokenUpTo(chain: readonly StatementFacts[]): string | undefined {
  for (const [i, one] of chain.entries()) {
    const next = chain[i + 1];
    if (!next || !follows(one, next)) return one.closingDate;
  }
  return undefined;
}

import { Decimal } from 'decimal.js';
import { z } from 'zod';

/** Amounts are decimal text, exact, never a float: `34.33634285099345`. Calculations go through decimal.js. */
const Exact = Decimal.clone({ precision: 76, toExpNeg: -60, toExpPos: 60 });

export const decimalText = z
  .string()
  .trim()
  .regex(/^[+-]?\d{1,38}(\.\d{1,60})?$/, 'must be a decimal number as text, such as "1234.50"');

/** Is the text a decimal number, as amounts are? */
export const isDecimal = (text: string | undefined): text is string =>
  text !== undefined && /^[+-]?\d{1,38}(\.\d{1,60})?$/.test(text);

/** ISO 4217 code, `EUR`. */
export const currencyCode = z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code, such as EUR');

/** The exact sum of decimal texts, as decimal text; `0` for none. */
export const sumAmounts = (amounts: Iterable<string>): string =>
  [...amounts].reduce((sum, amount) => sum.plus(amount), new Exact(0)).toFixed();

/** So many characters of a decimal number are told apart by doubles: they hold 15 digits. */
const DIGITS_OF_DOUBLE = 15;

/** −1, 0 or 1 as `a` is below, equal to or above `b`. */
export function compareAmounts(a: string, b: string): number {
  if (a.length <= DIGITS_OF_DOUBLE && b.length <= DIGITS_OF_DOUBLE) {
    const order = Math.sign(Number(a) - Number(b));
    if (!Number.isNaN(order)) return order;
  }
  return new Exact(a).comparedTo(new Exact(b));
}

/** The one text of an amount: equal amounts have equal texts, `100.00` and `100` → `100`. */
export function canonicalAmount(amount: string): string {
  const [, whole, fraction] = PLAIN_AMOUNT.exec(amount) ?? [];
  if (whole === undefined) return new Exact(amount).toFixed();
  return fraction ? `${whole}.${fraction}` : whole;
}

/** An amount of 1 or more as it is mostly written: its whole part, and what of its fraction counts. */
const PLAIN_AMOUNT = /^([1-9]\d{0,19})(?:\.(?:(\d{0,19}[1-9])?0{0,20}))?$/;

/** `a` less `b`, exactly. */
export const differenceOf = (a: string, b: string): string => new Exact(a).minus(b).toFixed();

/** So many per cent of an amount. */
export const shareOf = (amount: string, percent: string): string =>
  new Exact(amount).times(percent).dividedBy(100).toFixed();

/** The absolute value of a decimal text. */
export const absoluteAmount = (amount: string): string => new Exact(amount).abs().toFixed();

/** Sums by currency, sorted by code: `[{currency: 'EUR', amount: '12.5'}]`. Items without amount or currency are left out. */
export function sumByCurrency(
  items: Iterable<{ amount?: string | null | undefined; currency?: string | null | undefined }>,
): { currency: string; amount: string }[] {
  const sums = new Map<string, Decimal>();
  for (const { amount, currency } of items) {
    if (amount && currency) sums.set(currency, (sums.get(currency) ?? new Exact(0)).plus(amount));
  }
  return [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([currency, sum]) => ({ currency, amount: sum.toFixed() }));
}

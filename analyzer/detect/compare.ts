import { type FieldBearer, fieldOf } from '../../model/event-field.ts';
import type { SameField } from '../../model/expectation.ts';
import {
  absoluteAmount,
  canonicalAmount,
  compareAmounts,
  differenceOf,
  isDecimal,
  shareOf,
} from '../../model/money.ts';
import { dayOfDate } from '../../model/zone.ts';

const isDate = (text: string): boolean => /^\d{4}-\d\d-\d\d$/.test(text);

/** The one text of a value: equal numbers have equal texts. */
export const canonicalValue = (text: string): string => (isDecimal(text) ? canonicalAmount(text) : text);

/**
 * How two values stand to each other: −1, 0 or 1 as `a` is below, equal to (within the tolerance) or above `b`. Numbers
 * compare by value: `0.01` tolerates so much, `0.5%` so much of the larger one; dates tolerate days, `3d`. Text of other kinds
 * is equal or not: undefined when it is not.
 */
export function compareWithin(a: string, b: string, tolerance?: string): -1 | 0 | 1 | undefined {
  if (isDecimal(a) && isDecimal(b)) {
    const difference = differenceOf(a, b);
    const allowed = tolerance === undefined || tolerance.endsWith('d') ? '0' : allowedOf(a, b, tolerance);
    if (compareAmounts(absoluteAmount(difference), allowed) <= 0) return 0;
    return difference.startsWith('-') ? -1 : 1;
  }
  if (isDate(a) && isDate(b)) {
    const days = dayOfDate(a) - dayOfDate(b);
    const allowed = tolerance?.endsWith('d') ? Number(tolerance.slice(0, -1)) : 0;
    return Math.abs(days) <= allowed ? 0 : days < 0 ? -1 : 1;
  }
  return a === b ? 0 : undefined;
}

/** The amount that a tolerance allows between two numbers. */
function allowedOf(a: string, b: string, tolerance: string): string {
  if (!tolerance.endsWith('%')) return tolerance;
  const [x, y] = [absoluteAmount(a), absoluteAmount(b)];
  return shareOf(compareAmounts(x, y) >= 0 ? x : y, tolerance.slice(0, -1));
}

/** A rule's `same` with every part named. */
export const samePartsOf = (same: readonly SameField[]) =>
  same.map((one) =>
    typeof one === 'string'
      ? { field: one, other: one, tolerance: undefined }
      : { field: one.field, other: one.with ?? one.field, tolerance: one.tolerance },
  );

/** The test whether an event has the same fields as another; a field that one of them lacks is equal to nothing. */
export function sameTest(
  same: readonly SameField[] | undefined,
): (mine: FieldBearer, other: FieldBearer) => boolean {
  const parts = samePartsOf(same ?? []);
  return (mine, other) =>
    parts.every(({ field, other: called, tolerance }) => {
      const [a, b] = [fieldOf(mine, field), fieldOf(other, called)];
      return a !== undefined && b !== undefined && compareWithin(a, b, tolerance) === 0;
    });
}

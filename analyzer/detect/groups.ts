import { z } from 'zod';
import { parseDuration } from '../../model/duration.ts';
import { type FieldBearer, fieldOf } from '../../model/event-field.ts';
import { typeMatcher } from '../../model/event-pattern.ts';
import type { Expectation } from '../../model/expectation.ts';
import { canonicalAmount } from '../../model/money.ts';

/**
 * Groups: events of a company that agree in the fields of a rule's `group`. A group may be as large as the history, so it
 * is never loaded whole: what a new event touches lies within the rule's lookback of it.
 */

const DAY = 86_400_000_000_000n;
const LOOKBACK = 400n * DAY;

/** How far apart events of a rule may lie, in nanoseconds; undefined: any distance. */
export function lookbackOf(rule: Pick<Expectation, 'lookback' | 'group'>): bigint | undefined {
  const duration = rule.lookback === undefined ? undefined : parseDuration(rule.lookback);
  if (duration === undefined) return rule.group ? LOOKBACK : undefined;
  if (duration.clock === 'elapsed') return duration.nanos;
  return duration.clock === 'business' ? BigInt(duration.days) * 2n * DAY : duration.nanos;
}

/** Kinds that look at how a whole group stands now: what comes late moves all that followed. */
export const looksToNow = ({ kind }: Pick<Expectation, 'kind'>): boolean =>
  kind === 'watermark' || kind === 'balance' || kind === 'set-equality' || kind === 'anomaly';

/**
 * Does an event of the type change only what starts with it or later: numbers are compared with earlier ones, repeats repeat earlier
 * ones? Not where it decides, or lends a field that decides, whether what was before it is in the rule's scope.
 */
export function changesOnlyLater(rule: Expectation, type: string): boolean {
  if (rule.scope?.with || rule.scope?.without || rule.scope?.where) return false;
  if (rule.kind === 'no-duplicate') return !rule.unless || !typeMatcher(rule.unless.types)(type);
  return rule.kind === 'anomaly' && rule.measure !== 'count' && rule.measure !== 'completeness';
}

const groupValue = (event: FieldBearer, field: string): string | undefined => {
  const value = fieldOf(event, field);
  return value !== undefined && /amount$/.test(field) ? canonicalAmount(value) : value;
};

/** The key of the group that the event is in; none when it lacks a field of it. */
export function groupKeyOf(rule: Pick<Expectation, 'id' | 'group'>, event: FieldBearer): string[] {
  const values: string[] = [];
  for (const field of rule.group ?? []) {
    const value = groupValue(event, field);
    if (value === undefined) return [];
    values.push(value);
  }
  return [`~${JSON.stringify([rule.id, event.company, ...values])}`];
}

const named = z.tuple([z.string(), z.string()], z.string());

/** The company and the values that a group's key names. */
export function readGroupKey(key: string): { company: string; values: readonly string[] } {
  const [, company, ...values] = named.parse(JSON.parse(key.slice(1)));
  return { company, values };
}

/** What people call the group of an event: the values of its fields, else its company. */
export function groupName(rule: Pick<Expectation, 'group'>, event: FieldBearer): string {
  const values = (rule.group ?? []).map((field) => groupValue(event, field) ?? '');
  return values.length > 0 ? values.join(' ') : event.company;
}

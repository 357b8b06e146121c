import { z } from 'zod';
import { eventField, type FieldBearer, fieldOf } from './event-field.ts';
import { compareAmounts, isDecimal } from './money.ts';

/** A set of event types; each may be a glob in which `*` stands for any text: `bill.*`, `*.rejected`, `*.final_approved_by_*`. */
const typePattern = z
  .string()
  .max(128)
  .regex(/^[a-z0-9_.*-]+$/, 'must be an event type or a glob of one, such as bill.posted or bill.*');
export const typeSet = z.array(typePattern).min(1);

const scalar = z.union([z.string().max(512), z.number(), z.boolean()]).transform(String);
const limit = z.union([z.string().max(128), z.number()]).transform(String);

/** What a field must be: a text or a glob of one, one of several, or within limits. */
const condition = z.union([
  scalar,
  z.array(scalar).min(1),
  z
    .strictObject({
      not: z
        .union([scalar, z.array(scalar).min(1)])
        .optional()
        .describe('none of these; a field that is absent is none of them'),
      exists: z.boolean().optional(),
      atLeast: limit.optional(),
      above: limit.optional(),
      atMost: limit.optional(),
      below: limit.optional(),
    })
    .refine((limits) => Object.values(limits).some((one) => one !== undefined), 'must say something'),
]);
type Condition = z.infer<typeof condition>;

/** Conditions that fields of an event must meet, all of them. */
export const where = z
  .record(eventField, condition)
  .describe('conditions on fields of the event, all of which must hold');
type Where = z.infer<typeof where>;

/** Events of some types that meet some conditions. */
export const eventPattern = z.strictObject({ types: typeSet, where: where.optional() });
export type EventPattern = z.infer<typeof eventPattern>;

/** Does the text match the glob, in which `*` stands for any text? Takes time in proportion to both, whatever the glob. */
function matchesGlob(parts: readonly string[], text: string): boolean {
  const [first = '', last = ''] = [parts[0], parts.at(-1)];
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last))
    return false;
  const end = text.length - last.length;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** The test of a text against texts and globs. */
function textMatcher(patterns: readonly string[]): (text: string) => boolean {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const globs = patterns.filter((pattern) => pattern.includes('*')).map((pattern) => pattern.split('*'));
  return (text) => exact.has(text) || globs.some((parts) => matchesGlob(parts, text));
}

const TYPES_KEPT = 10_000;
const MATCHERS = new WeakMap<readonly string[], (type: string) => boolean>();

/** The test of event types against a set of patterns; answers are kept by type, for a log asks for the same few again. */
export function typeMatcher(patterns: readonly string[]): (type: string) => boolean {
  const made = MATCHERS.get(patterns);
  if (made) return made;
  const test = textMatcher(patterns);
  const answers = new Map<string, boolean>();
  const matches = (type: string): boolean => {
    let answer = answers.get(type);
    if (answer === undefined) {
      answer = test(type);
      if (answers.size >= TYPES_KEPT) answers.clear();
      answers.set(type, answer);
    }
    return answer;
  };
  MATCHERS.set(patterns, matches);
  return matches;
}

/** Does the event type match one of the patterns? */
export const matchesTypes = (patterns: readonly string[], type: string): boolean =>
  typeMatcher(patterns)(type);

type Test = (event: FieldBearer) => boolean;
const WHERES = new WeakMap<Where, Test>();

/** The test of events against conditions; an event that lacks a field meets only `not` and `exists: false`. */
export function whereMatcher(conditions: Where): Test {
  const made = WHERES.get(conditions);
  if (made) return made;
  const tests = Object.entries(conditions).map(([field, wanted]) => {
    const test = conditionTest(wanted);
    return (event: FieldBearer) => test(fieldOf(event, field));
  });
  const matches: Test = (event) => tests.every((test) => test(event));
  WHERES.set(conditions, matches);
  return matches;
}

function conditionTest(wanted: Condition): (value: string | undefined) => boolean {
  if (typeof wanted === 'string' || Array.isArray(wanted)) {
    const test = valueMatcher([wanted].flat());
    return (value) => value !== undefined && test(value);
  }
  const { not, exists, atLeast, above, atMost, below } = wanted;
  const isNot = not === undefined ? undefined : valueMatcher([not].flat());
  const hasLimits = [atLeast, above, atMost, below].some((one) => one !== undefined);
  return (value) => {
    if (exists !== undefined && exists !== (value !== undefined)) return false;
    if (value === undefined) return !hasLimits && exists !== true;
    if (isNot?.(value)) return false;
    return (
      (atLeast === undefined || compareValues(value, atLeast) >= 0) &&
      (above === undefined || compareValues(value, above) > 0) &&
      (atMost === undefined || compareValues(value, atMost) <= 0) &&
      (below === undefined || compareValues(value, below) < 0)
    );
  };
}

/** Equal by text, by glob, or, of numbers, by value: `50` is `50.00`. */
export function valueMatcher(values: readonly string[]): (value: string) => boolean {
  const test = textMatcher(values);
  const numbers = values.filter(isDecimal);
  return (value) =>
    test(value) ||
    (numbers.length > 0 && isDecimal(value) && numbers.some((one) => compareAmounts(one, value) === 0));
}

/** −1, 0 or 1: numbers by value, else text by its characters, as ISO dates need it. NaN, which meets no limit, of a number and a text. */
function compareValues(a: string, b: string): number {
  if (isDecimal(a) && isDecimal(b)) return compareAmounts(a, b);
  if (isDecimal(a) !== isDecimal(b)) return Number.NaN;
  return a < b ? -1 : a > b ? 1 : 0;
}

const EVENTS = new WeakMap<EventPattern, Test>();

/** The test of events against a pattern. */
export function eventMatcher(pattern: EventPattern): Test {
  const made = EVENTS.get(pattern);
  if (made) return made;
  const type = typeMatcher(pattern.types);
  const test = pattern.where && whereMatcher(pattern.where);
  const matches: Test = test ? (event) => type(event.type) && test(event) : (event) => type(event.type);
  EVENTS.set(pattern, matches);
  return matches;
}

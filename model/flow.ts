import { z } from 'zod';
import { durationText } from './duration.ts';
import { keyType } from './key.ts';
import { closeImpact, severityByBand } from './severity.ts';

/** A set of event types; each may be a glob in which `*` stands for any text: `bill.*`, `*.rejected`, `*.final_approved_by_*`. */
const typePattern = z
  .string()
  .max(128)
  .regex(/^[a-z0-9_.*-]+$/, 'must be an event type or a glob of one, such as bill.posted or bill.*');
export const typeSet = z.array(typePattern).min(1);

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

const TYPES_KEPT = 10_000;
const MATCHERS = new WeakMap<readonly string[], (type: string) => boolean>();

/** The test of event types against a set of patterns; answers are kept by type, for a log asks for the same few again. */
export function typeMatcher(patterns: readonly string[]): (type: string) => boolean {
  const made = MATCHERS.get(patterns);
  if (made) return made;
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const globs = patterns.filter((pattern) => pattern.includes('*')).map((pattern) => pattern.split('*'));
  const answers = new Map<string, boolean>();
  const matches = (type: string): boolean => {
    let answer = answers.get(type);
    if (answer === undefined) {
      answer = exact.has(type) || globs.some((parts) => matchesGlob(parts, type));
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

const anchor = z.strictObject({
  types: typeSet,
  pick: z
    .enum(['first', 'last', 'each'])
    .default('first')
    .describe(
      'which of the matching events of a case starts the obligation: one for the first, one for the last, or one for each',
    ),
});
const follow = z.strictObject({
  types: typeSet,
  since: z
    .enum(['anchor', 'ever'])
    .default('anchor')
    .describe(
      'anchor: only events after the one that started the obligation count; ever: earlier ones count too',
    ),
});

const common = {
  id: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'must be a short id such as MP-02')
    .describe('id of the rule; unique over all flow files'),
  version: z
    .int()
    .min(1)
    .default(1)
    .describe('raise it whenever the meaning changes; recorded with each exception'),
  name: z.string().max(200).optional().describe('one line for people: what is expected'),
  by: z
    .array(keyType)
    .min(1)
    .default(['subject'])
    .describe(
      'key types that join the events of one case; default: the subject (case key) within its source',
    ),
  scope: z
    .strictObject({
      companies: z.array(z.string()).min(1).optional(),
      sources: z.array(z.string()).min(1).optional(),
    })
    .optional()
    .describe('limits the rule to some companies or sources'),
  severity: severityByBand
    .default(['low', 'medium', 'high'])
    .describe('severity below trivial, below performance materiality, and at or above it'),
  closeImpact: closeImpact.default('none').describe('what an open exception does to the close'),
  dependsOn: z
    .array(z.string())
    .optional()
    .describe(
      'sources whose watermark decides absence; default: every source known to send the expected types',
    ),
  owner: z.string().optional().describe('overrides the owner of the flow'),
  runbook: z.url().optional().describe('overrides the runbook of the flow'),
  enabled: z.boolean().default(true),
};

/** A then B: each anchor must be answered within the allowed time, unless it is voided. */
export const responseExpectation = z.strictObject({
  kind: z.literal('response'),
  ...common,
  when: anchor,
  expect: follow,
  unless: follow.optional().describe('events that void the obligation: cancelled, reversed, rejected'),
  within: durationText.describe('allowed time: elapsed (30m, 4h, 14d) or business (3bd, 6bh)'),
});

/** A case may not stay in a state for longer than allowed: entered by one of `enter`, left by one of `leave`. */
export const stateAgeExpectation = z.strictObject({
  kind: z.literal('state-age'),
  ...common,
  enter: z
    .strictObject({ types: typeSet })
    .describe('events that put the case into the state; repeats do not restart the clock'),
  leave: z.strictObject({ types: typeSet }).describe('events that take it out'),
  within: durationText,
});

/** Distinct subjects must not share a key, and the fields of `same`: bills paid twice, orders entered twice. */
export const noDuplicateExpectation = z.strictObject({
  kind: z.literal('no-duplicate'),
  ...common,
  by: z.array(keyType).min(1).describe('key types of which one in common makes two subjects candidates'),
  when: z.strictObject({ types: typeSet }).describe('events that create the thing which must be unique'),
  same: z
    .array(
      z.union([
        z.enum(['amount', 'currency', 'party', 'docnumber', 'date', 'type']),
        z.string().regex(/^attribute\..+$/, 'must be attribute.<name>'),
      ]),
    )
    .default([])
    .describe('fields that must be equal too; date is the UTC calendar day of the event'),
  unless: z
    .strictObject({ types: typeSet })
    .optional()
    .describe('events that take a subject out: cancelled, reversed'),
});

export const expectation = z.discriminatedUnion('kind', [
  responseExpectation,
  stateAgeExpectation,
  noDuplicateExpectation,
]);
export type Expectation = z.infer<typeof expectation>;
export type ExpectationKind = Expectation['kind'];
export type ResponseExpectation = z.infer<typeof responseExpectation>;
export type StateAgeExpectation = z.infer<typeof stateAgeExpectation>;
export type NoDuplicateExpectation = z.infer<typeof noDuplicateExpectation>;

/** One catalogued integration: one flow file. */
export const flow = z.strictObject({
  $schema: z.string().optional(),
  flow: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be a short lower-case id such as ap-bills'),
  name: z.string().max(200),
  description: z.string().optional(),
  from: z.string().describe('the system that sends').optional(),
  to: z.string().describe('the system that receives').optional(),
  latency: z.enum(['real-time', 'micro-batch', 'batch']).default('micro-batch').describe('latency class'),
  owner: z.string().describe('team or person who answers for it'),
  runbook: z.url().optional(),
  expectations: z.array(expectation).default([]),
});
export type Flow = z.infer<typeof flow>;

/** Every type pattern that a rule looks at. */
export function typesOf(rule: Expectation): string[] {
  switch (rule.kind) {
    case 'response':
      return [...rule.when.types, ...rule.expect.types, ...(rule.unless?.types ?? [])];
    case 'state-age':
      return [...rule.enter.types, ...rule.leave.types];
    case 'no-duplicate':
      return [...rule.when.types, ...(rule.unless?.types ?? [])];
  }
}

/** The type patterns whose absence the rule would report; none for kinds without an answer. */
export function expectedTypesOf(rule: Expectation): string[] {
  if (rule.kind === 'response') return rule.expect.types;
  return rule.kind === 'state-age' ? rule.leave.types : [];
}

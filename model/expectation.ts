import { z } from 'zod';
import { durationText } from './duration.ts';
import { eventField, isDataField } from './event-field.ts';
import { type EventPattern, eventPattern } from './event-pattern.ts';
import { keyType } from './key.ts';
import { decimalText } from './money.ts';
import { closeImpact, severityByBand } from './severity.ts';
import { hasDeadline, NO_DEADLINE, timing } from './timing.ts';

/** How far two values may lie apart and still count as equal. */
export const tolerance = z
  .string()
  .regex(
    /^(\d{1,30}(\.\d{1,30})?%?|\d{1,5}d)$/,
    'must be an amount (0.01), a share (0.5%) or, for dates, days (3d)',
  );

/** A field that must be equal in two events; `with` names it in the other one where it is called otherwise there. */
const sameField = z.union([
  eventField,
  z.strictObject({ field: eventField, with: eventField.optional(), tolerance: tolerance.optional() }),
]);
export type SameField = z.infer<typeof sameField>;

const pattern = eventPattern.shape;
const pick = z
  .enum(['first', 'last', 'each'])
  .default('first')
  .describe(
    'which of the matching events of a case starts the obligation: one for the first, one for the last, or one for each',
  );
const anchor = z.strictObject({ ...pattern, pick });
const since = z
  .enum(['anchor', 'ever'])
  .default('anchor')
  .describe(
    'anchor: only events after the one that started the obligation count; ever: earlier ones count too',
  );
const same = z
  .array(sameField)
  .min(1)
  .optional()
  .describe('only events count of which these fields equal those of the one that started the obligation');
const follow = z.strictObject({ ...pattern, since, same });
const answer = z.strictObject({
  ...pattern,
  since,
  same,
  count: z
    .union([z.int().min(1).max(100_000), eventField])
    .default(1)
    .describe('how many answers it takes: a number, or the field of the starting event that says it'),
});
/** What a rule takes of several events: the first, the last, or the sum of their values. */
const take = z.enum(['first', 'last', 'sum']).default('last');

const bandName = z.enum(['trivial', 'performance', 'overall']);
const amountLimit = z.union([decimalText, bandName]);

/** Where it says what to do: an address, or a page of the documentation. */
export const runbook = z.union([
  z.url(),
  z
    .string()
    .regex(/^docs\/[\w./-]+(#[\w-]+)?$/, 'must be an address or a page such as docs/runbooks.md#payments'),
]);

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
  group: z
    .array(eventField)
    .max(8)
    .optional()
    .describe(
      'instead of `by`: events of a company that agree in these fields are one group ([] = all of the company); an event that lacks one is in no group',
    ),
  across: z
    .boolean()
    .default(false)
    .describe(
      'cases may reach over companies, by keys that are global: a bill mirrors the invoice of another company',
    ),
  lookback: durationText
    .optional()
    .describe(
      'how far apart, in elapsed time, events may lie that the rule brings together; with `group` it is 400d unless given',
    ),
  scope: z
    .strictObject({
      companies: z.array(z.string()).min(1).optional(),
      sources: z.array(z.string()).min(1).optional(),
      where: eventPattern.shape.where.describe(
        'conditions on the starting event; a field that it lacks is that of the first event of its case which has it',
      ),
      with: eventPattern.optional().describe('only cases that have such an event'),
      without: eventPattern.optional().describe('only cases that have no such event'),
      amount: z
        .strictObject({ atLeast: amountLimit.optional(), below: amountLimit.optional() })
        .optional()
        .describe(
          'limits in company currency: decimal text, or a band of the company: trivial, performance, overall',
        ),
    })
    .optional()
    .describe('limits what starts obligations of the rule'),
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
  applies: z
    .enum(['always', 'when-told'])
    .default('always')
    .describe(
      'when-told: only to companies of which some source is known to send what is expected; elsewhere the rule is not applicable, and says so',
    ),
  inhibits: z
    .array(z.string())
    .min(1)
    .optional()
    .describe(
      'ids of rules that an open exception of this one explains: theirs that come due meanwhile in the same company are held back, and name it',
    ),
  observe: z.boolean().default(false).describe('record what the rule finds and tell nobody'),
  owner: z.string().optional().describe('overrides the owner of the flow'),
  runbook: runbook.optional().describe('overrides the runbook of the flow'),
  enabled: z.boolean().default(true),
};

/** A then B: each anchor must be answered by its deadline, unless it is voided. */
export const responseExpectation = z
  .strictObject({
    kind: z.literal('response'),
    ...common,
    when: anchor,
    expect: answer,
    unless: follow.optional().describe('events that void the obligation: cancelled, reversed, rejected'),
    ...timing,
  })
  .refine(hasDeadline, NO_DEADLINE);

/** B only after A: what happens must have had something before it. */
export const precedenceExpectation = z.strictObject({
  kind: z.literal('precedence'),
  ...common,
  when: anchor,
  require: z
    .strictObject({
      ...pattern,
      same,
      after: eventPattern
        .optional()
        .describe('only what came after the last of these counts, and where none came nothing is required'),
    })
    .describe('what must have come before'),
  unless: eventPattern.optional().describe('events of the case, at any time, that void the obligation'),
});

/** Two steps must not be taken by one identity: the pairs of a conflict matrix. */
export const distinctActorsExpectation = z.strictObject({
  kind: z.literal('distinct-actors'),
  ...common,
  pairs: z
    .array(
      z.strictObject({ name: z.string().max(100).optional(), first: eventPattern, second: eventPattern }),
    )
    .min(1)
    .describe('pairs of steps; in a case nobody may take both steps of a pair'),
  ignore: z
    .array(z.enum(['human', 'service', 'system']))
    .default(['system'])
    .describe('kinds of actors that may'),
  unless: eventPattern.optional(),
});

/** Two sides of a case must agree in value: amount, entity, period, quantities of lines. */
export const equalValueExpectation = z.strictObject({
  kind: z.literal('equal-value'),
  ...common,
  when: z.strictObject({ ...pattern, pick: z.enum(['first', 'last', 'each', 'sum']).default('last') }),
  with: z.strictObject({ ...pattern, pick: take }).describe('the other side'),
  compare: z
    .array(
      z.strictObject({
        field: z
          .string()
          .max(160)
          .refine(
            (field) => eventField.safeParse(field).success || /^lines\.[a-z][A-Za-z0-9]*$/.test(field),
            'must be a field of events or lines.<name>',
          ),
        to: z
          .string()
          .max(160)
          .optional()
          .describe('what the field is called on the other side; default: the same'),
        must: z
          .enum(['equal', 'at-most', 'at-least'])
          .default('equal')
          .describe('of the starting side against the other'),
        tolerance: tolerance.optional(),
      }),
    )
    .min(1),
  lines: z
    .string()
    .regex(/^[a-z][A-Za-z0-9]*$/)
    .default('poline')
    .describe('what joins the lines of the two sides, for fields of lines'),
  missing: z
    .enum(['skip', 'zero'])
    .default('skip')
    .describe('what the other side counts as where it has no event or value: nothing is compared, or zero'),
  unless: eventPattern.optional(),
});

/** Distinct subjects must not be the same thing: bills paid twice, orders entered twice. */
export const noDuplicateExpectation = z.strictObject({
  kind: z.literal('no-duplicate'),
  ...common,
  by: z.array(keyType).default([]).describe('key types of which one in common makes two subjects candidates'),
  when: eventPattern.describe('events that create the thing which must be unique'),
  same: z
    .array(sameField)
    .default([])
    .describe('fields that must be equal too; date is the UTC calendar day of the event'),
  near: z
    .strictObject({
      field: eventField,
      how: z
        .array(z.enum(['formatting', 'digit-swap', 'one-digit', 'contained']))
        .min(1)
        .default(['formatting', 'digit-swap'])
        .describe(
          'formatting: equal but for case, blanks, punctuation and leading zeros; digit-swap: two neighbours exchanged; one-digit: one character other, missing or too many, but not only the last one other, as in numbers that follow each other; contained: one is a part of the other',
        ),
      least: z
        .int()
        .min(1)
        .max(64)
        .default(4)
        .describe('characters that both must have, formatting left out'),
    })
    .optional()
    .describe('a field that must be nearly equal'),
  differ: z
    .array(eventField)
    .default([])
    .describe(
      'fields that must differ, each present in both: party finds the same bill under another vendor',
    ),
  unless: eventPattern.optional().describe('events that take a subject out: cancelled, reversed'),
});

/** A case may not stay in a state for longer than allowed: entered by one of `enter`, left by one of `leave`. */
export const stateAgeExpectation = z
  .strictObject({
    kind: z.literal('state-age'),
    ...common,
    enter: eventPattern.describe('events that put the case into the state; repeats do not restart the clock'),
    leave: eventPattern.describe('events that take it out'),
    ...timing,
  })
  .refine(hasDeadline, NO_DEADLINE);

const side = z.strictObject({
  ...pattern,
  item: eventField.optional().describe('what names an item of the set'),
  sum: eventField.optional().describe('the amount of an item'),
  states: z
    .strictObject({ count: eventField.optional(), sum: eventField.optional() })
    .optional()
    .describe('the last such event says how many items there are and what they sum to, instead of being one'),
});

/** Two sets must hold the same items: what a period has in the source and in the target, a batch and its control totals. */
export const setEqualityExpectation = z
  .strictObject({
    kind: z.literal('set-equality'),
    ...common,
    left: side,
    right: side,
    tolerance: tolerance.optional().describe('for the sums'),
    unless: eventPattern.optional().describe('events that take an item out of the left side'),
    ...timing,
  })
  .refine(hasDeadline, NO_DEADLINE);

/** A stream must move on: after each event the next must come. */
export const watermarkExpectation = z.strictObject({
  kind: z.literal('watermark'),
  ...common,
  when: eventPattern.describe('events of which another must follow'),
  unless: eventPattern.optional().describe('events after which none is expected any more: paused, closed'),
  within: durationText,
  grace: timing.grace,
});

/** What is left over must be nothing, or equal another balance. */
export const balanceExpectation = z
  .strictObject({
    kind: z.literal('balance'),
    ...common,
    when: z.strictObject({ ...pattern, pick: take, value: eventField.default('amount') }),
    equals: z
      .union([decimalText, z.strictObject({ ...pattern, pick: take, value: eventField.default('amount') })])
      .default('0')
      .describe('an amount, or the balance of other events'),
    tolerance: tolerance.optional(),
    ...timing,
  })
  .refine(hasDeadline, NO_DEADLINE);

/** Numbers without a gap, or steps in their order. */
export const sequenceExpectation = z
  .strictObject({
    kind: z.literal('sequence'),
    ...common,
    when: eventPattern,
    number: eventField
      .optional()
      .describe('field whose last run of digits counts up by one; what stands around it names the series'),
    steps: z
      .array(
        z.strictObject({
          ...pattern,
          optional: z.boolean().default(false),
          repeat: z.boolean().default(false).describe('may be taken more than once'),
        }),
      )
      .min(2)
      .optional()
      .describe('the steps of a case in their order; each is taken once, in its place'),
    unless: eventPattern
      .optional()
      .describe('events that explain a gap (their number counts as used), or end the case early'),
    within: durationText.default('1d').describe('how long the missing number or step may take'),
    grace: timing.grace,
  })
  .refine(
    ({ number, steps }) => (number === undefined) !== (steps === undefined),
    'needs either number or steps',
  );

/** A value, a count or a ratio within limits. */
export const thresholdExpectation = z
  .strictObject({
    kind: z.literal('threshold'),
    ...common,
    when: eventPattern,
    value: eventField.optional().describe('field of each event that must keep within the limits'),
    count: z.boolean().optional().describe('the number of events of the case, or of the window, must'),
    sum: eventField.optional().describe('the sum of the field over the case, or over the window, must'),
    ratio: eventPattern
      .optional()
      .describe('the number of events divided by the number of these, over the window, must'),
    over: durationText.optional().describe('length of the sliding window, elapsed; left out: the whole case'),
    least: z
      .int()
      .min(1)
      .default(1)
      .describe('events, for a ratio of those it is divided by, below which nothing is said'),
    atMost: decimalText.optional(),
    atLeast: decimalText.optional(),
    unless: eventPattern.optional().describe('events that take the limits away from their case'),
  })
  .refine(
    ({ value, count, sum, ratio }) =>
      [value, count, sum, ratio].filter((one) => one !== undefined).length === 1,
    'needs one of value, count, sum and ratio',
  )
  .refine(
    ({ atMost, atLeast, value }) => atMost !== undefined || (atLeast !== undefined && value !== undefined),
    'needs atMost or, for a value, atLeast',
  )
  .refine(({ ratio, over }) => ratio === undefined || over !== undefined, 'a ratio needs the window `over`');

/** A value must be one of a set. */
export const membershipExpectation = z
  .strictObject({
    kind: z.literal('membership'),
    ...common,
    when: eventPattern,
    field: eventField,
    in: z.array(z.string()).min(1).optional().describe('texts, or globs of them, of which it must be one'),
    notIn: z
      .array(z.string())
      .min(1)
      .optional()
      .describe('texts, or globs of them, of which it must be none'),
    known: z
      .strictObject({ ...pattern, field: eventField })
      .optional()
      .describe('it must be a value that such an event of the case or group gave before'),
    absent: z
      .enum(['skip', 'open'])
      .default('skip')
      .describe('of an event that lacks the field: nothing is said, or it is a breach'),
    unless: eventPattern
      .optional()
      .describe('events of the case that void the obligation: corrected, approved'),
  })
  .refine(
    (rule) => rule.in !== undefined || rule.notIn !== undefined || rule.known !== undefined,
    'needs in, notIn or known',
  );

/** What ends at an instant must be renewed, or dealt with, some time before. */
export const expiryExpectation = z.strictObject({
  kind: z.literal('expiry'),
  ...common,
  when: z.strictObject({ ...pattern, pick: pick.default('last') }).describe('events that say when it ends'),
  at: eventField.describe('the date (its end counts) or the instant'),
  before: z
    .array(durationText)
    .min(1)
    .max(5)
    .describe('how long before it must be dealt with, the longest first; severity rises with each'),
  expect: follow.describe('events that deal with it: rotated, posted, paid'),
  unless: follow.optional(),
});

/** What stands must stay as it is, and add up. */
export const integrityExpectation = z
  .strictObject({
    kind: z.literal('integrity'),
    ...common,
    when: eventPattern,
    constant: z
      .array(eventField)
      .min(1)
      .optional()
      .describe('fields that, once seen in a case, never change or vanish'),
    totals: z
      .array(
        z.strictObject({
          sum: z.string().regex(/^lines\.[a-z][A-Za-z0-9]*$/, 'must be lines.<name>'),
          equals: eventField,
          tolerance: tolerance.optional(),
        }),
      )
      .min(1)
      .optional()
      .describe('sums of lines that must equal a field of the same event'),
    forbid: eventPattern.optional().describe('events that must not come after it'),
    unless: eventPattern.optional().describe('events that void the obligation: reset to draft, cancelled'),
  })
  .refine(
    (rule) => rule.constant !== undefined || rule.totals !== undefined || rule.forbid !== undefined,
    'needs constant, totals or forbid',
  );

/** A number of each event, or of each day, that is far from what it usually is. */
export const anomalyExpectation = z
  .strictObject({
    kind: z.literal('anomaly'),
    ...common,
    when: eventPattern,
    measure: z
      .enum(['value', 'ratio', 'delay', 'count', 'completeness'])
      .describe(
        'value: a field, on a log scale, against those of its group; ratio: a field divided by another; delay: the time since the event of `from`; count: the events of a day; completeness: of the events of `from`, the share that is followed in time',
      ),
    field: eventField.optional(),
    to: eventField.optional().describe('for a ratio: what the field is divided by'),
    from: eventPattern.optional().describe('for a delay or a completeness: what it is measured from'),
    within: durationText.optional().describe('for a completeness: how long the answer may take'),
    least: z.int().min(5).max(10_000).default(20).describe('earlier values below which nothing is said'),
    false: z
      .number()
      .gt(0)
      .max(0.1)
      .default(0.0001)
      .describe('share of usual values that may be called unusual'),
    shortfall: z.boolean().default(true).describe('for counts: tell of too few'),
    excess: z.boolean().default(true).describe('tell of too much'),
  })
  .refine(
    ({ measure, field }) => (measure !== 'value' && measure !== 'ratio') || field !== undefined,
    'this measure needs field',
  )
  .refine(({ measure, to }) => measure !== 'ratio' || to !== undefined, 'a ratio needs `to`')
  .refine(
    ({ measure, from }) => (measure !== 'delay' && measure !== 'completeness') || from !== undefined,
    'this measure needs `from`',
  )
  .refine(
    ({ measure, within }) => measure !== 'completeness' || within !== undefined,
    'a completeness needs within',
  );

export const expectation = z.discriminatedUnion('kind', [
  responseExpectation,
  precedenceExpectation,
  distinctActorsExpectation,
  equalValueExpectation,
  noDuplicateExpectation,
  stateAgeExpectation,
  setEqualityExpectation,
  watermarkExpectation,
  balanceExpectation,
  sequenceExpectation,
  thresholdExpectation,
  membershipExpectation,
  expiryExpectation,
  integrityExpectation,
  anomalyExpectation,
]);
export type Expectation = z.infer<typeof expectation>;
export type ExpectationKind = Expectation['kind'];
export type RuleOf<Kind extends ExpectationKind> = Extract<Expectation, { kind: Kind }>;

const isPattern = (pattern: EventPattern | undefined): pattern is EventPattern => pattern !== undefined;

/** Every pattern of events that a rule looks at. */
export function patternsOf(rule: Expectation): EventPattern[] {
  const scoped = [rule.scope?.with, rule.scope?.without];
  return [...ownPatternsOf(rule), ...scoped].filter(isPattern);
}

function ownPatternsOf(rule: Expectation): (EventPattern | undefined)[] {
  switch (rule.kind) {
    case 'response':
    case 'expiry':
      return [rule.when, rule.expect, rule.unless];
    case 'precedence':
      return [rule.when, rule.require, rule.require.after, rule.unless];
    case 'distinct-actors':
      return [...rule.pairs.flatMap(({ first, second }) => [first, second]), rule.unless];
    case 'equal-value':
      return [rule.when, rule.with, rule.unless];
    case 'state-age':
      return [rule.enter, rule.leave];
    case 'set-equality':
      return [rule.left, rule.right, rule.unless];
    case 'balance':
      return [rule.when, typeof rule.equals === 'string' ? undefined : rule.equals];
    case 'sequence':
      return [rule.when, ...(rule.steps ?? []), rule.unless];
    case 'threshold':
      return [rule.when, rule.ratio, rule.unless];
    case 'membership':
      return [rule.when, rule.known, rule.unless];
    case 'integrity':
      return [rule.when, rule.forbid, rule.unless];
    case 'anomaly':
      return [rule.when, rule.from];
    case 'no-duplicate':
    case 'watermark':
      return [rule.when, rule.unless];
  }
}

/** The types of the events that start obligations of the rule. */
export function startTypesOf(rule: Expectation): string[] {
  switch (rule.kind) {
    case 'state-age':
      return rule.enter.types;
    case 'distinct-actors':
      return rule.pairs.flatMap(({ second }) => second.types);
    case 'set-equality':
      return [...rule.left.types, ...rule.right.types];
    default:
      return rule.when.types;
  }
}

/** Every type pattern that a rule looks at. */
export const typesOf = (rule: Expectation): string[] => patternsOf(rule).flatMap(({ types }) => types);

/** The type patterns whose absence the rule would report; none for kinds without an answer. */
export function expectedTypesOf(rule: Expectation): string[] {
  switch (rule.kind) {
    case 'response':
    case 'expiry':
      return rule.expect.types;
    case 'precedence':
      return rule.require.types;
    case 'state-age':
      return rule.leave.types;
    case 'set-equality':
      return [...rule.left.types, ...rule.right.types];
    case 'balance':
      return [...rule.when.types, ...(typeof rule.equals === 'string' ? [] : rule.equals.types)];
    case 'sequence':
      return rule.steps ? rule.steps.flatMap(({ types }) => types) : rule.when.types;
    case 'membership':
      return rule.known?.types ?? [];
    case 'anomaly':
      return rule.measure === 'completeness' ? rule.when.types : [];
    default:
      return [];
  }
}

/** The type patterns of which a source must be known to send some, for a rule that applies when it is told. */
export const answerTypesOf = (rule: Expectation): string[] =>
  rule.kind === 'set-equality' ? rule.right.types : expectedTypesOf(rule);

/** Does any field that the rule names, as the name of a condition or as a value, pass the test? */
function namesField(rule: Expectation, test: (field: string) => boolean): boolean {
  let found = false;
  JSON.stringify(rule, (key, value) => {
    found ||= test(key) || (typeof value === 'string' && test(value));
    return value;
  });
  return found;
}

/** Does the rule look into the payload of events, which a plain reading of the history leaves out? */
export const needsData = (rule: Expectation): boolean =>
  namesField(rule, (field) => isDataField(field) || field.startsWith('lines.'));

/** Does the rule look at attributes of events? */
export const needsAttributes = (rule: Expectation): boolean =>
  namesField(rule, (field) => field.startsWith('attribute.'));

/** Does the rule look at keys of events besides their subject? */
export const needsKeys = (rule: Expectation): boolean =>
  rule.by.some((type) => type !== 'subject') || namesField(rule, (field) => field.startsWith('key.'));

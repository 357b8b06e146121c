import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ACTIONS } from '../../model/action.ts';
import { type EvidenceItem, type ModelAnswer, modelAnswer } from '../../model/assessment.ts';
import { SEVERITIES } from '../../model/severity.ts';
import { goodAnswer } from '../../test/stand-ins/openai.ts';
import { readAnswer, validateAnswer } from './validate.ts';

const evidence: EvidenceItem[] = [
  {
    number: 1,
    kind: 'history',
    at: '2026-05-04T08:00:00Z',
    facts: { incident: 'INC-12', exceptions: 40, amountEUR: '12000.50', severity: 'medium' },
  },
  {
    number: 2,
    kind: 'span',
    at: '2026-05-04T07:59:58.5Z',
    facts: { service: 'tax-engine', httpStatus: 503 },
  },
  { number: 3, kind: 'event', facts: { document: 'document-3f9c0a41be27', amount: '300.00' } },
];
const rules: ModelAnswer = {
  category: 'tax-engine',
  severity: 'medium',
  summary: 'The rules say so.',
  probableCause: 'The rules know why.',
  nextStep: 'The rules know what to do.',
  confidence: 0.85,
  claims: [{ text: 'The rules claim.', evidence: [2] }],
  proposedActions: [{ kind: 'requeue-job', reason: 'The rules propose.', evidence: [2] }],
};
const validate = (over: Record<string, unknown>) =>
  validateAnswer(readAnswer(goodAnswer(over))!, evidence, rules);
const claimed = (text: string, cited: number[]) =>
  validate({ claims: [{ text, evidence: cited }] }).answer?.claims ?? [];

test.each([
  ['40 bills wait', [1]],
  ['12,000.50 EUR wait', [1]],
  ['12000.5 EUR wait', [1]],
  ['since 2026-05-04 08:00 nothing was posted', [1]],
  ['it answers 503 (E2)', [2]],
  ['the amount is 300', [3]],
  ['document-3f9c0a41be27 waits', [3]],
])('the claim %j is carried by %j', (text, cited) => {
  expect(claimed(text, cited)).toHaveLength(1);
});

test.each([
  ['41 bills wait', [1]],
  ['40 bills wait', [2]],
  ['12000.51 EUR wait', [1]],
  ['since 2026-05-05', [1]],
  ['it answers 503', [1]],
  ['4 bills', [1]],
  ['27 bills', [3]],
  ['٤٠ bills', [2]],
  ['no number', []],
  ['no number', [4]],
  ['no number', [1, 99]],
  ['no number', [0]],
  ['no number', [1.5]],
  ['<!channel>', [1]],
])('the claim %j citing %j is dropped', (text, cited) => {
  expect(claimed(text, cited)).toEqual([]);
});

test('without a claim that stands there is no answer', () => {
  const { answer, verdicts } = validate({ claims: [{ text: '999 bills', evidence: [1] }] });
  expect(answer).toBeUndefined();
  expect(verdicts).toContainEqual({
    part: 'answer',
    outcome: 'dropped',
    reason: 'no claim is carried by the evidence',
  });
});

test('text with a number of its own is replaced by that of the rules', () => {
  const { answer } = validate({ summary: '4,000 bills wait.', nextStep: 'Call 0800 12345.' });
  expect(answer).toMatchObject({ summary: rules.summary, nextStep: rules.nextStep });
});

test('text becomes plain words', () => {
  const { answer } = validate({ summary: '<!here> Bills wait, see https://evil.example/x *now*\u202e' });
  expect(answer?.summary).toBe('Bills wait, see now');
});

test('severity is never below the rules and at most one step above', () => {
  expect(validate({ severity: 'info' }).answer?.severity).toBe('medium');
  expect(validate({ severity: 'high' }).answer?.severity).toBe('high');
  expect(validate({ severity: 'critical' }).answer?.severity).toBe('high');
  expect(validate({ severity: 'apocalyptic' }).answer?.severity).toBe('medium');
});

test('confidence is capped: always, more when the rules disagree, most when claims fell', () => {
  expect(validate({ confidence: 1 }).answer?.confidence).toBe(0.8);
  expect(validate({ confidence: 0.3 }).answer?.confidence).toBe(0.3);
  expect(validate({ confidence: 1, category: 'timeout' }).answer?.confidence).toBe(0.6);
  const claims = [
    { text: 'An incident is open.', evidence: [1] },
    { text: '7 of 9', evidence: [1] },
  ];
  expect(validate({ confidence: 1, claims }).answer?.confidence).toBe(0.5);
  expect(validate({ confidence: -5 }).answer?.confidence).toBe(0);
});

test('actions: of the catalogue, with evidence, once, and never a second posting of what may be double', () => {
  const wish = (kind: string, cited = [1]) => ({ kind, reason: 'Because.', evidence: cited });
  const { answer, verdicts } = validate({
    proposedActions: [
      wish('open-ticket'),
      wish('delete-journal'),
      wish('open-ticket'),
      wish('investigate', [9]),
    ],
  });
  expect(answer?.proposedActions.map(({ kind }) => kind)).toEqual(['open-ticket']);
  expect(
    verdicts.filter(({ part, outcome }) => part.startsWith('proposed') && outcome === 'dropped'),
  ).toHaveLength(3);
  const double = validate({
    category: 'duplicate',
    proposedActions: [wish('rerun-posting'), wish('redrive-events')],
  });
  expect(double.answer?.proposedActions).toEqual([]);
});

test('a category outside the list becomes that of the rules', () => {
  expect(validate({ category: 'aliens' }).answer?.category).toBe('tax-engine');
});

test('what has not the shape of an answer is none', () => {
  expect(readAnswer({ ...goodAnswer(), claims: 'many' })).toBeUndefined();
  expect(readAnswer({ ...goodAnswer(), summary: 'x'.repeat(9_000) })).toBeUndefined();
  expect(readAnswer(null)).toBeUndefined();
});

test('whatever the model writes, what survives is within the bounds', () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('40 bills', '<@U1> hi', 'https://a.b/c', '503'));
  const cited = fc.array(fc.integer({ min: -1, max: 6 }), { maxLength: 5 });
  const loose = fc.record({
    category: fc.oneof(fc.string(), fc.constantFrom('timeout', 'duplicate')),
    severity: fc.constantFrom(...SEVERITIES, 'none'),
    summary: text,
    probableCause: text,
    nextStep: text,
    confidence: fc.double({ noNaN: true }),
    claims: fc.array(fc.record({ text, evidence: cited }), { maxLength: 12 }),
    proposedActions: fc.array(
      fc.record({
        kind: fc.oneof(fc.string(), fc.constantFrom(...Object.keys(ACTIONS))),
        reason: text,
        evidence: cited,
      }),
      { maxLength: 12 },
    ),
  });
  fc.assert(
    fc.property(loose, (answer) => {
      const validated = validateAnswer(answer, evidence, rules).answer;
      if (!validated) return;
      expect(modelAnswer.safeParse(validated).success).toBe(true);
      expect(SEVERITIES.indexOf(validated.severity)).toBeGreaterThanOrEqual(
        SEVERITIES.indexOf(rules.severity),
      );
      expect(validated.confidence).toBeLessThanOrEqual(0.8);
      for (const { evidence: numbers } of [...validated.claims, ...validated.proposedActions]) {
        expect(numbers.length).toBeGreaterThan(0);
        expect(numbers.every((number) => number >= 1 && number <= 3)).toBe(true);
      }
      expect(JSON.stringify(validated)).not.toMatch(/<[@!#]|https?:\/\//);
    }),
    { numRuns: 300 },
  );
});

import { expect, test } from 'vitest';
import { CATEGORIES, type EvidenceItem, modelAnswer } from '../../model/assessment.ts';
import { assessByRules, RULES } from './rules.ts';

type Facts = EvidenceItem['facts'];
const history = (facts: Facts = {}): EvidenceItem => ({
  number: 1,
  kind: 'history',
  facts: { cause: 'rule', ...facts },
});
const span = (facts: Facts): EvidenceItem => ({
  number: 2,
  kind: 'span',
  facts: { service: 'erp', operation: 'post', ...facts },
});
const exception = (facts: Facts): EvidenceItem => ({
  number: 3,
  kind: 'exception',
  facts: { rule: 'MP-02', kind: 'response', state: 'open', ...facts },
});
const assess = (...items: EvidenceItem[]) =>
  assessByRules({ items: [history(), ...items], severity: 'high', title: 'Bills wait' });

test.each<[string, EvidenceItem]>([
  ['tax-engine', span({ service: 'tax-engine', httpStatus: 503 })],
  ['connection', span({ httpStatus: 503 })],
  ['connection', span({ error: 'connect econnrefused' })],
  ['timeout', span({ error: 'deadline exceeded' })],
  ['timeout', span({ grpcStatus: 4 })],
  ['rate-limit', span({ httpStatus: 429 })],
  ['credentials', span({ httpStatus: 401 })],
  ['credentials', span({ error: 'token expired' })],
  ['access', span({ error: 'access denied' })],
  ['locked-period', span({ error: 'lock date period' })],
  ['mapping', span({ error: 'no account found mapping' })],
  ['master-data', span({ error: 'partner not found' })],
  ['parse', span({ errorType: 'parse error' })],
  ['schema-change', span({ error: 'unknown field' })],
  ['missing-data', span({ error: 'missing required field value' })],
  ['capacity', span({ error: 'no space' })],
  ['sequence', span({ error: 'sequence gap' })],
  ['amount-mismatch', span({ error: 'unbalanced entry' })],
  ['wrong-entity', span({ error: 'wrong company' })],
  ['duplicate', span({ error: 'unique constraint violates' })],
  ['unknown', span({ httpStatus: 500 })],
  ['feed-stale', exception({ state: 'indeterminate' })],
  ['duplicate', exception({ kind: 'no-duplicate' })],
  ['control-breach', exception({ rule: 'CT-05' })],
  ['approval', exception({ rule: 'SA-01' })],
  ['bank-rejection', { number: 4, kind: 'event', facts: { type: 'payment.rejected' } }],
  ['approval', { number: 4, kind: 'event', facts: { type: 'expense.submitted' } }],
  ['unknown', exception({})],
])('%s: %o', (category, item) => {
  const answer = assess(item);
  expect(answer.category).toBe(category);
  expect(answer.severity).toBe('high');
  expect(modelAnswer.parse(answer)).toEqual(answer);
  if (category !== 'unknown') expect(answer.claims[0]?.evidence).toEqual([item.number]);
});

test('a stale source and a batch are told by the cause', () => {
  const of = (cause: string) =>
    assessByRules({ items: [history({ cause })], severity: 'low', title: 'x' }).category;
  expect(of('stale-source')).toBe('feed-stale');
  expect(of('batch')).toBe('late-batch');
});

test('one exception of another kind keeps a rule about all of them from applying', () => {
  expect(assess(exception({ kind: 'no-duplicate' }), exception({})).category).toBe('unknown');
});

test('what was approved already does not wait for approval', () => {
  const submitted: EvidenceItem = { number: 4, kind: 'event', facts: { type: 'expense.submitted' } };
  const approved: EvidenceItem = {
    number: 5,
    kind: 'event',
    facts: { type: 'expense.final_approved_by_director' },
  };
  expect(assess(submitted, approved).category).toBe('unknown');
});

test('every category of the closed list has a rule', () => {
  expect(new Set(RULES.map(({ category }) => category))).toEqual(new Set(CATEGORIES));
});

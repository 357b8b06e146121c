import { expect, test } from 'vitest';
import {
  commonSignature,
  errorSignature,
  failingLeaves,
  type LinkedSpan,
  normaliseText,
} from './signature.ts';

const span = (over: Partial<LinkedSpan>): LinkedSpan => ({
  traceId: 't1',
  spanId: 's1',
  parentSpanId: '',
  name: 'POST /tax',
  service: 'tax-engine',
  startNs: '1',
  statusCode: 'Error',
  statusMessage: '',
  attributes: {},
  events: [],
  ...over,
});

test.each([
  ['503 Service Unavailable after 1200 ms', '<n> service unavailable after <n> ms'],
  ['partner 42 not found', 'partner <n> not found'],
  ['no rate for "Jane Doe" on 2026-05-31', 'no rate for <text> on <id>'],
  ['bill BILL/2026/05/0012 is locked', 'bill <id> is locked'],
  ['job 5b8efff798038103d269b633813fc60c failed', 'job <hex> failed'],
  ['request 550e8400-e29b-41d4-a716-446655440000 refused', 'request <id> refused'],
  ['GET https://tax.example/v1?id=7 failed', 'get <url> failed'],
  ['mail to jane.doe@example.com bounced', 'mail to <email> bounced'],
  ['ids 1, 2, 3 and 4', 'ids <n> and <n>'],
  ['amount 1,234.50 differs by 3%', 'amount <n> differs by <n>'],
  ['  Connection\n\trefused  ', 'connection refused'],
  ['', ''],
])('%j becomes %j', (text, masked) => {
  expect(normaliseText(text)).toBe(masked);
});

test('masking twice changes nothing more, and the result is short', () => {
  const once = normaliseText('bill BILL/1 "x" 5b8efff798038103 http://a/b 12 <n> a@b.c'.repeat(20));
  expect(normaliseText(once)).toBe(once);
  expect(once.length).toBeLessThanOrEqual(160);
});

test.each(['a', '«', '“', '‘', 'a@', '<a', 'a-', '"', '<n> '])(
  'a text of nothing but %j costs no more than its length',
  (part) => {
    expect(normaliseText(part.repeat(1_000_000 / part.length)).length).toBeLessThanOrEqual(160);
  },
);

test('quoted text of any length is masked, and one opened twice from its last opening', () => {
  expect(normaliseText(`no partner "${'x y '.repeat(1_000)}" found`)).toBe('no partner <text> found');
  expect(normaliseText('field «name «Jane» missing')).toBe('field «name <text> missing');
});

test('the signature is service, span name and error; the exception type stands in for a missing message', () => {
  const message = span({ statusMessage: 'timeout after 30 s' });
  const thrown = span({ events: [{ name: 'exception', attributes: { 'exception.type': 'TimeoutError' } }] });
  expect(errorSignature(message).key).toBe('tax-engine | post /tax | timeout after <n> s');
  expect(errorSignature(thrown).key).toBe('tax-engine | post /tax | timeouterror');
  expect(errorSignature(span({})).key).toBe('tax-engine | post /tax | error');
});

test('the failure is put down to the span where it began, not to those above it', () => {
  const root = span({ spanId: 'root', service: 'ocr', name: 'post bill', startNs: '1' });
  const leaf = span({ spanId: 'leaf', parentSpanId: 'root', startNs: '2', statusMessage: '503' });
  const fine = span({ spanId: 'fine', parentSpanId: 'leaf', statusCode: 'Unset' });
  expect(failingLeaves([root, leaf, fine])).toEqual([leaf]);
  expect(commonSignature([leaf, root, fine])?.service).toBe('tax-engine');
  expect(commonSignature([fine])).toBeUndefined();
});

test('of several failures the most frequent is the signature, whatever the order of the spans', () => {
  const once = span({ traceId: 'a', service: 'bank', startNs: '1' });
  const twice = [span({ traceId: 'b', startNs: '5' }), span({ traceId: 'c', startNs: '6' })];
  expect(commonSignature([once, ...twice])?.service).toBe('tax-engine');
  expect(commonSignature([...twice, once])?.service).toBe('tax-engine');
  expect(commonSignature([...twice.slice(1), once])?.service).toBe('bank');
});

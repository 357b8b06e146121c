import { expect, test } from 'vitest';
import { type CausedException, causeOf } from './cause.ts';
import type { LinkedSpan } from './signature.ts';

const exception: CausedException = {
  rule: 'MP-02',
  ruleName: 'Bill received, not posted',
  kind: 'response',
  state: 'open',
  source: '/ocr/capture',
};
const failing: LinkedSpan = {
  traceId: 't',
  spanId: 's',
  parentSpanId: '',
  name: 'POST /tax',
  service: 'tax-engine',
  startNs: '1',
  statusCode: 'Error',
  statusMessage: '503 from upstream',
  attributes: {},
  events: [],
};

test('the first cause that applies holds', () => {
  const everything = { ...exception, state: 'indeterminate', batchId: 'B7' };
  expect(causeOf(everything, [failing])).toEqual({
    kind: 'interface-error',
    key: 'tax-engine | post /tax | <n> from upstream',
    title: 'tax-engine fails: post /tax, … from upstream',
  });
  expect(causeOf(everything, [])).toMatchObject({ kind: 'stale-source', key: '/ocr/capture' });
  expect(causeOf({ ...everything, state: 'open' }, [])).toMatchObject({
    kind: 'batch',
    key: '["/ocr/capture","B7"]',
  });
  expect(causeOf(exception, [])).toEqual({
    kind: 'rule-counterparty',
    key: '["MP-02","/ocr/capture"]',
    title: 'Unmet: Bill received, not posted (/ocr/capture)',
  });
  expect(causeOf({ ...exception, source: '' }, [])).toMatchObject({ kind: 'rule', key: 'MP-02' });
});

test('an inhibited exception belongs to the source that explains it', () => {
  expect(causeOf({ ...exception, inhibitedBy: 'source:/odoo/prod' }, [])).toMatchObject({
    kind: 'stale-source',
    key: '/odoo/prod',
  });
});

test('spans that did not fail are no cause', () => {
  expect(causeOf(exception, [{ ...failing, statusCode: 'Ok' }]).kind).toBe('rule-counterparty');
});

import { expect, test } from 'vitest';
import { documentOf } from './case-document.ts';
import { contradictionsOf } from './contradiction.ts';
import type { FinanceEvent } from './event.ts';

let sequence = 0;
const bill = (source: string, over: Partial<FinanceEvent>, keys: Record<string, string>) => {
  const event: FinanceEvent = {
    id: `e${++sequence}`,
    source,
    type: 'bill.posted',
    version: 1,
    time: '2026-05-01T00:00:00Z',
    receivedAt: '2026-05-01T00:00:00Z',
    batch: '1',
    sequence: `${sequence}`,
    company: 'acme',
    subject: `${source}/${sequence}`,
    ingestPath: 'push',
    keys: Object.entries(keys).map(([type, value]) => ({ type, value })),
    attributes: {},
    data: '{}',
    ...over,
  };
  return documentOf([event], 0, false);
};
const euros = (amount: string) => ({ amount, currency: 'EUR' });
const told = (...documents: Parameters<typeof contradictionsOf>[0]) =>
  contradictionsOf(documents).map(({ about, key, said }) => [about, key, ...said.map(({ value }) => value)]);

test('another amount, another currency; the same amount in other words or with the other sign is none', () => {
  const docno = { docno: 'B/1' };
  const one = bill('/ocr', euros('100.00'), docno);
  expect(told(one, bill('/odoo', euros('100.01'), docno))).toEqual([
    ['amount', 'docno:acme:B1', '100.00', '100.01'],
  ]);
  expect(told(one, bill('/odoo', { amount: '100', currency: 'USD' }, docno))).toEqual([
    ['currency', 'docno:acme:B1', 'EUR', 'USD'],
  ]);
  for (const amount of ['100', '100.000', '-100.00'])
    expect(told(one, bill('/odoo', euros(amount), docno))).toEqual([]);
});

test('one correlation id, other document numbers', () => {
  const one = bill('/ocr', { correlationId: 'run' }, { docno: 'B/1' });
  expect(told(one, bill('/odoo', { correlationId: 'run' }, { docno: 'B/2' }))).toEqual([
    ['docno', 'correlation:acme:run', 'B/1', 'B/2'],
  ]);
  expect(told(one, bill('/odoo', { correlationId: 'run' }, { docno: 'b 1' }))).toEqual([]);
  expect(told(one, bill('/odoo', { correlationId: 'run' }, { po: 'P1' }))).toEqual([]);
});

test('no contradiction: one source, another company, another kind, a heuristic key', () => {
  const docno = { docno: 'B/1' };
  const one = bill('/ocr', euros('1'), docno);
  expect(told(one, bill('/ocr', euros('2'), docno))).toEqual([]);
  expect(told(one, bill('/odoo', { ...euros('2'), company: 'globex' }, docno))).toEqual([]);
  expect(told(one, bill('/odoo', { ...euros('2'), type: 'payment.sent' }, docno))).toEqual([]);
  const guess = { keys: [{ type: 'docno', value: 'B/1', strength: 'heuristic' as const }] };
  expect(told(one, bill('/odoo', { ...euros('2'), ...guess }, {}))).toEqual([]);
});

test('each pair once for each thing, by whatever key', () => {
  const keys = { docno: 'B/1', supref: 'S:1' };
  expect(told(bill('/ocr', euros('1'), keys), bill('/odoo', euros('2'), keys))).toHaveLength(1);
});

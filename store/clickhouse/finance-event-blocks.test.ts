import { expect, test } from 'vitest';
import type { FinanceEvent } from '../../model/event.ts';
import { parseInstant } from '../../model/time.ts';
import { readBlocks } from '../../test/native-block.ts';
import { typesRegex } from './event-types.ts';
import { eventBlock, keyBlocks, scaledDecimal } from './finance-event-blocks.ts';

const event: FinanceEvent = {
  id: 'e1',
  source: '/odoo/prod',
  type: 'bill.posted',
  version: 1,
  time: '2026-05-31T17:00:00.123456789Z',
  receivedAt: '2026-06-01T00:00:00.5Z',
  batch: '18446744073709551615',
  sequence: '-9223372036854775808',
  company: 'acme',
  subject: 'account.move/42',
  ingestPath: 'push',
  amount: '-34.33634285099345',
  currency: 'EUR',
  traceId: 'ab',
  keys: [{ type: 'docno', value: 'BILL/1' }],
  attributes: { colour: 'blau' },
  data: '{}',
};

test('an amount is scaled exactly, or left to its text', () => {
  expect(scaledDecimal('34.33634285099345')).toBe(34_336_342_850_993_450_000n);
  expect(scaledDecimal('-0.000000000000000001')).toBe(-1n);
  expect(scaledDecimal('007.50')).toBe(7_500_000_000_000_000_000n);
  expect(scaledDecimal('0.1000000000000000000000')).toBe(100_000_000_000_000_000n);
  for (const text of ['0.1234567890123456789', '100000000000000000000', '', 'x', undefined])
    expect(scaledDecimal(text)).toBeUndefined();
});

test('every column of an event', () => {
  const [row] = readBlocks(eventBlock([event]).bytes);
  expect(row).toMatchObject({
    Batch: 18_446_744_073_709_551_615n,
    EventId: 'e1',
    Type: 'bill.posted',
    Time: parseInstant(event.time),
    Sequence: -9_223_372_036_854_775_808n,
    AmountText: '-34.33634285099345',
    Currency: 'EUR',
    CompanyAmount: null,
    DocNumber: '',
    KeyTypes: ['docno'],
    JoinKeys: ['subject:/odoo/prod:account.move/42', 'docno:acme:BILL1', 'trace:ab'],
    Attributes: [['colour', 'blau']],
  });
});

test('a row a join key, in blocks of a bounded size', () => {
  const blocks = keyBlocks([event, { ...event, id: 'e2' }], 4).map((block) => readBlocks(block.bytes));
  expect(blocks.map((rows) => rows.length)).toEqual([4, 2]);
  expect(blocks[0]?.[1]).toMatchObject({ JoinKey: 'docno:acme:BILL1', KeyType: 'docno', EventId: 'e1' });
});

test('type patterns: * is any text, everything else stands for itself', () => {
  const matches = (patterns: string[], type: string) => new RegExp(typesRegex(patterns)).test(type);
  expect(matches(['bill.*'], 'bill.posted')).toBe(true);
  expect(matches(['bill.*'], 'billXposted')).toBe(false);
  expect(matches(['*.final_approved_by_*', 'a.b'], 'request.final_approved_by_director')).toBe(true);
  expect(matches(['a.b'], 'a.bc')).toBe(false);
  expect(matches([], 'a.b')).toBe(false);
});

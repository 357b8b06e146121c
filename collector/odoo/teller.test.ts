import { expect, test } from 'vitest';
import type { OdooRecord, RecordKind } from './kind.ts';
import { kindOfModel } from './kinds.ts';
import { differences, firstSight } from './teller.ts';
import type { TrackedMessage } from './tracking.ts';

const kind = kindOfModel('account.move') as RecordKind;
const stamps = {
  ...{ create_date: '2026-11-22 10:00:00', create_uid: 2 },
  ...{ write_date: '2026-11-22 10:05:00', write_uid: 7 },
};
const bill = (values: object): OdooRecord => ({
  id: 42,
  values: { move_type: 'in_invoice', ...stamps, ...values },
});
const message = (
  id: number,
  at: string,
  field: string,
  before: unknown,
  after: unknown,
  unmapped = false,
): TrackedMessage => ({
  ...{ id, model: 'account.move', recordId: 42, at, userId: 7 },
  changes: [{ field, before, after, recorded: `mtv:${id}`, unmapped }],
});
const tracked = new Set(['state', 'payment_state', 'ref']);
const said = (facts: ReturnType<typeof firstSight>): string[] =>
  facts.map(
    ({ fact, at, userId, inferred }) =>
      `${fact.type} ${at.slice(11, 19)} ${userId}${inferred ? ' inferred' : ''}`,
  );

test('a label that no language knows is told by what the record became', () => {
  const record = bill({ state: 'posted', payment_state: 'not_paid' });
  const messages = [message(1, '2026-11-22T10:05:00Z', 'state', 'Brouillon', 'Comptabilisé', true)];
  const told = firstSight({ kind, record, messages, tracked });
  expect(said(told)).toEqual(['bill.drafted 10:00:00 2', 'bill.posted 10:05:00 7']);
  expect(told[1]?.mappingErrors).toEqual(['state']);
});

test('an edit of a draft is none of a posted one, though it was posted later', () => {
  const record = bill({ state: 'posted', payment_state: 'not_paid', ref: 'B' });
  const messages = [
    message(1, '2026-11-22T10:01:00Z', 'ref', 'A', 'B'),
    message(2, '2026-11-22T10:05:00Z', 'state', 'draft', 'posted'),
    message(3, '2026-11-22T10:06:00Z', 'ref', 'B', 'C'),
  ];
  expect(said(firstSight({ kind, record: bill({ ...record.values, ref: 'C' }), messages, tracked }))).toEqual(
    ['bill.drafted 10:00:00 2', 'bill.posted 10:05:00 7', 'bill.changed 10:06:00 7'],
  );
});

test('what was posted as it was made is told by that, and what is not tracked by the last write', () => {
  const record = bill({ state: 'posted', payment_state: 'paid' });
  expect(said(firstSight({ kind, record, messages: [], tracked: new Set(['state']) }))).toEqual([
    'bill.drafted 10:00:00 2',
    'bill.posted 10:00:00 2 inferred',
    'bill.paid 10:05:00 7 inferred',
  ]);
});

test('a change that Odoo was told not to track is inferred; one that it tracked is told once', () => {
  const before = { written: '2026-11-22 10:00:00', snapshot: { state: 'draft', payment_state: 'not_paid' } };
  const record = bill({ state: 'posted', payment_state: 'not_paid' });
  expect(said(differences({ kind, record, messages: [], tracked }, before))).toEqual([
    'bill.posted 10:05:00 7 inferred',
  ]);
  const messages = [message(1, '2026-11-22T10:05:01Z', 'state', 'draft', 'posted')];
  const once = differences({ kind, record, messages, tracked }, before);
  expect(said(once)).toEqual(['bill.posted 10:05:01 7']);
  expect(once[0]?.id).toBe('odoo:mtv:1');
});

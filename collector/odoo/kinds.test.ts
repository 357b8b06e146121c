import { describe, expect, test } from 'vitest';
import { eventType } from '../../model/event.ts';
import { KINDS, kindOfModel } from './kinds.ts';

/** What a change of a field means, by model: field, before, after, what the record is, the facts. */
const TABLE: readonly (readonly [string, string, unknown, unknown, object, readonly string[]])[] = [
  ['account.move', 'state', 'draft', 'posted', { move_type: 'in_invoice' }, ['bill.posted']],
  ['account.move', 'state', 'posted', 'draft', { move_type: 'out_invoice' }, ['invoice.resettodraft']],
  ['account.move', 'state', 'draft', 'cancel', { move_type: 'in_refund' }, ['creditnote.cancelled']],
  ['account.move', 'state', 'draft', 'posted', { move_type: 'entry' }, ['journalentry.posted']],
  [
    'account.move',
    'payment_state',
    'not_paid',
    'in_payment',
    { move_type: 'in_invoice' },
    ['bill.inpayment'],
  ],
  ['account.move', 'payment_state', 'paid', 'not_paid', { move_type: 'in_invoice' }, ['bill.unpaid']],
  ['account.move', 'payment_state', 'not_paid', 'reversed', { move_type: 'in_invoice' }, ['bill.reversed']],
  ['account.move', 'payment_state', 'not_paid', 'paid', { move_type: 'in_refund' }, ['creditnote.applied']],
  ['account.move', 'payment_state', 'not_paid', 'paid', { move_type: 'entry' }, []],
  ['account.move', 'ref', 'A', 'B', { move_type: 'in_invoice', state: 'posted' }, ['bill.changed']],
  ['account.move', 'ref', 'A', 'B', { move_type: 'in_invoice', state: 'draft' }, []],
  [
    'account.move',
    'line_ids/account_id',
    4,
    5,
    { move_type: 'entry', state: 'posted' },
    ['journalentry.changed'],
  ],
  ['account.move', 'inalterable_hash', '$4$a', '$4$b', { move_type: 'entry' }, ['journalentry.flagged']],
  ['account.move', 'inalterable_hash', false, '$4$a', { move_type: 'entry' }, []],
  ['account.move', 'checked', false, true, { move_type: 'in_invoice' }, ['bill.checked']],
  ['account.move', 'to_check', false, true, { move_type: 'in_invoice' }, ['bill.unchecked']],
  ['account.payment', 'state', 'draft', 'posted', {}, ['payment.registered']],
  ['account.payment', 'state', 'draft', 'in_process', {}, ['payment.registered']],
  ['account.payment', 'state', 'in_process', 'paid', {}, ['payment.confirmed']],
  ['account.payment', 'state', 'paid', 'in_process', {}, ['payment.unconfirmed']],
  ['account.payment', 'state', 'in_process', 'rejected', {}, ['payment.rejected']],
  ['account.payment', 'state', 'posted', 'cancel', {}, ['payment.cancelled']],
  ['account.payment', 'state', 'in_process', 'canceled', {}, ['payment.cancelled']],
  ['account.payment', 'state', 'in_process', 'draft', {}, ['payment.resettodraft']],
  ['account.payment', 'is_matched', false, true, {}, ['payment.matched']],
  ['account.bank.statement.line', 'is_reconciled', true, false, {}, ['statementline.unreconciled']],
  ['purchase.order', 'state', 'draft', 'sent', {}, ['purchaseorder.sent']],
  ['purchase.order', 'state', 'sent', 'to approve', {}, ['purchaseorder.submitted']],
  [
    'purchase.order',
    'state',
    'to approve',
    'purchase',
    {},
    ['purchaseorder.approved', 'purchaseorder.confirmed'],
  ],
  ['purchase.order', 'state', 'draft', 'purchase', {}, ['purchaseorder.confirmed']],
  ['purchase.order', 'state', 'purchase', 'done', {}, ['purchaseorder.locked']],
  ['purchase.order', 'state', 'done', 'purchase', {}, ['purchaseorder.unlocked']],
  ['purchase.order', 'locked', false, true, {}, ['purchaseorder.locked']],
  ['purchase.order', 'locked', true, false, {}, ['purchaseorder.unlocked']],
  ['purchase.order', 'amount_total', 1, 2, { state: 'purchase' }, ['purchaseorder.changed']],
  ['sale.order', 'state', 'cancel', 'draft', {}, ['salesorder.resettodraft']],
  [
    'stock.picking',
    'state',
    'assigned',
    'done',
    { picking_type_code: 'incoming' },
    ['goodsreceipt.recorded'],
  ],
  ['stock.picking', 'state', 'assigned', 'done', { picking_type_code: 'outgoing' }, ['delivery.recorded']],
  [
    'stock.picking',
    'state',
    'assigned',
    'done',
    { picking_type_code: 'incoming', return_id: 4 },
    ['goodsreceipt.returned'],
  ],
  ['stock.picking', 'state', 'assigned', 'done', { picking_type_code: 'internal' }, []],
  ['hr.expense', 'state', 'submitted', 'approved', {}, ['expense.approved']],
  ['hr.expense', 'state', 'posted', 'in_payment', {}, ['expense.inpayment']],
  ['hr.expense', 'state', 'submitted', 'draft', {}, ['expense.resettodraft']],
  ['hr.expense.sheet', 'state', 'submit', 'approve', {}, ['expensesheet.approved']],
  ['hr.expense.sheet', 'state', 'submit', 'cancel', {}, ['expensesheet.refused']],
  ['res.company', 'hard_lock_date', false, '2026-10-31', {}, ['period.lockset']],
  ['res.company', 'fiscalyear_lock_date', '2026-10-31', false, {}, ['period.lockremoved']],
  ['account.lock_exception', 'active', true, false, {}, ['period.lockexceptionrevoked']],
  ['res.partner.bank', 'acc_number', 'BE1', 'BE2', {}, ['supplier.bankaccountchanged']],
  ['res.partner.bank', 'allow_out_payment', false, true, {}, ['supplier.bankverified']],
  ['res.partner.bank', 'active', false, true, {}, ['supplier.bankaccountrestored']],
  ['ir.cron', 'failure_count', 0, 1, {}, ['cron.failed']],
  ['ir.cron', 'lastcall', '2026-11-22 10:00:00', '2026-11-22 11:00:00', {}, ['cron.succeeded']],
  ['ir.cron', 'active', true, false, {}, ['cron.deactivated']],
  ['queue.job', 'state', 'started', 'failed', {}, ['message.failed']],
  ['account.edi.document', 'state', 'to_send', 'sent', {}, ['einvoice.sent']],
  ['account.edi.document', 'blocking_level', false, 'error', {}, ['einvoice.failed']],
];

test.each(TABLE)('%s: %s from %s to %s, of %o, is %j', (model, field, before, after, values, facts) => {
  const kind = kindOfModel(model);
  const told =
    kind?.changed([{ field, before, after }], { id: 1, values: { [field]: after, ...values } }) ?? [];
  expect(told.map(({ type }) => type)).toEqual(facts);
  expect(kind?.watched.includes(field) || field.includes('/')).toBe(true);
  for (const type of facts) expect(kind?.types).toContain(type);
});

test('a statement line has the references that a payer wrote, and no account number', () => {
  const around = { company: () => undefined, currency: () => undefined, other: () => undefined };
  const keysOf = (payment_ref: string) =>
    kindOfModel('account.bank.statement.line')
      ?.describe({ id: 1, values: { payment_ref } }, around)
      .keys.filter(({ type }) => type === 'payref');
  expect(keysOf('Thanks! RF18 5390 0754 7034')).toEqual([
    { type: 'payref', value: 'RF18539007547034', strength: 'exact' },
  ]);
  expect(keysOf('invoice 12 from BE68 5390 0754 7034')).toEqual([
    { type: 'payref', value: 'invoice 12 from BE…7034', strength: 'heuristic' },
  ]);
  expect(keysOf('')).toEqual([]);
});

describe.each(KINDS.map((kind) => [kind.model, kind] as const))('%s', (_, kind) => {
  test('knows the types of all its events, and what is made or deleted is among them', () => {
    for (const type of kind.types) expect(eventType.safeParse(type).success, type).toBe(true);
    for (const picking_type_code of ['incoming', 'outgoing'])
      for (const move_type of ['entry', 'in_invoice', 'out_invoice', 'in_refund']) {
        const record = { id: 1, values: { picking_type_code, move_type } };
        for (const { type } of [...kind.created(record), ...kind.deleted(record)])
          expect(kind.types).toContain(type);
      }
  });
});

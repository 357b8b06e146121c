import { dateOf, idOf, idsOf, numberOf, textOf } from '../../../odoo/values.ts';
import { scrubbed } from '../../files/bank/privacy.ts';
import { recordKeys } from '../keys.ts';
import {
  type Change,
  changedFact,
  changeOf,
  defined,
  type Fact,
  moneyOf,
  nowTrue,
  partyOf,
  plainFact,
  type RecordKind,
  subjectIn,
  subjectOf,
  typesOf,
  wordOf,
} from '../kind.ts';

/** Both families of states: 17 spells `cancel` and knows `posted`, 18 and 19 have states of their own. */
const OF_STATE: Readonly<Record<string, string>> = {
  cancel: 'cancelled',
  canceled: 'cancelled',
  rejected: 'rejected',
  draft: 'resettodraft',
};
const IS_REGISTERED: ReadonlySet<string> = new Set(['posted', 'in_process', 'paid']);
const EDITABLE: ReadonlySet<string> = new Set([
  'amount',
  'date',
  'partner_id',
  'partner_bank_id',
  'journal_id',
]);

/** `account.payment`: what was registered, sent, matched with the bank, cancelled (finance.md B.6). */
export const payments: RecordKind = {
  model: 'account.payment',
  watched: ['state', 'is_sent', 'is_matched', 'is_reconciled', ...EDITABLE],
  kept: ['name', 'company_id', 'currency_id', 'payment_type', 'move_id'],
  types: typesOf('payment', [
    'requested',
    'registered',
    'confirmed',
    'unconfirmed',
    ...new Set(Object.values(OF_STATE)),
    'sent',
    'matched',
    'reconciled',
    'changed',
    'deleted',
  ]),
  initial: { state: 'draft', is_sent: false, is_matched: false, is_reconciled: false },

  created: () => [plainFact('payment.requested')],

  changed(changes, record) {
    const state = changeOf(changes, 'state');
    const isOpen = textOf(record.values.state) !== 'draft';
    return [
      ...registered(state),
      ...wordOf('payment', state, OF_STATE),
      ...nowTrue('payment.sent', changeOf(changes, 'is_sent')),
      ...nowTrue('payment.matched', changeOf(changes, 'is_matched')),
      ...nowTrue('payment.reconciled', changeOf(changes, 'is_reconciled')),
      ...(state || !isOpen ? [] : changedFact('payment.changed', changes, EDITABLE)),
    ];
  },

  deleted: () => [plainFact('payment.deleted')],

  describe({ id, values }, around) {
    const company = idOf(values.company_id);
    const party = partyOf(idOf(values.partner_id));
    const date = dateOf(values.date);
    return defined({
      company,
      period: date?.slice(0, 7),
      journalKey: subjectIn('account.journal', values.journal_id),
      object: defined({
        kind: 'payment',
        nativeModel: 'account.payment',
        nativeId: String(id),
        docNumber: numberOf(values.name),
        state: textOf(values.state),
      }),
      party: party === undefined ? undefined : { partyKey: party },
      money: moneyOf(values.amount, around.currency(idOf(values.currency_id)), {
        company: around.company(company),
        companyAmount: values.amount_company_currency_signed,
        isNegative: false,
      }),
      dates: defined({ accountingDate: date }),
      keys: recordKeys(subjectOf('account.payment', id), {
        docno: numberOf(values.name),
        payref: textOf(values.payment_reference) ?? scrubbed(textOf(values.memo) ?? '', []),
        subjects: [
          subjectIn('account.move', values.move_id),
          ...idsOf(values.invoice_ids).map((invoice) => subjectOf('account.move', invoice)),
        ],
      }),
      attributes: defined({
        direction: textOf(values.payment_type),
        partnerType: textOf(values.partner_type),
        bankAccount: subjectIn('res.partner.bank', values.partner_bank_id),
      }) as Record<string, string>,
    });
  },
};

/** It counts as registered once, however its state goes on. */
function registered(change: Change | undefined): Fact[] {
  if (!change || !IS_REGISTERED.has(String(change.after))) return [];
  if (!IS_REGISTERED.has(String(change.before))) return [{ type: 'payment.registered', changes: [change] }];
  if (change.after === 'paid') return [{ type: 'payment.confirmed', changes: [change] }];
  return change.before === 'paid' ? [{ type: 'payment.unconfirmed', changes: [change] }] : [];
}

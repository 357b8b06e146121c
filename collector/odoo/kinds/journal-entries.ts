import { dateOf, idOf, numberOf, textOf } from '../../../odoo/values.ts';
import { recordKeys } from '../keys.ts';
import {
  type Change,
  changedFact,
  changeOf,
  defined,
  type Fact,
  moneyOf,
  type OdooRecord,
  partyOf,
  plainFact,
  type RecordKind,
  subjectIn,
  subjectOf,
  typesOf,
  wordOf,
} from '../kind.ts';

/** What a journal entry is to the people who work with it. */
const KINDS: Readonly<Record<string, string>> = {
  in_invoice: 'bill',
  in_receipt: 'bill',
  out_invoice: 'invoice',
  out_receipt: 'invoice',
  in_refund: 'creditnote',
  out_refund: 'creditnote',
};

const kindOf = ({ values }: OdooRecord): string => KINDS[String(values.move_type)] ?? 'journalentry';

const OF_STATE: Readonly<Record<string, string>> = {
  posted: 'posted',
  cancel: 'cancelled',
  draft: 'resettodraft',
};

/** `not_paid` is a fact where something was paid before. */
const OF_PAYMENT: Readonly<Record<string, string>> = {
  paid: 'paid',
  partial: 'partiallypaid',
  in_payment: 'inpayment',
  reversed: 'reversed',
  blocked: 'paymentblocked',
  not_paid: 'unpaid',
};

const OF_PEPPOL: Readonly<Record<string, string>> = {
  to_send: 'queued',
  ready: 'queued',
  processing: 'sent',
  done: 'accepted',
  error: 'failed',
  canceled: 'cancelled',
  RE: 'rejected',
};

/** What may be changed of a posted entry, and what of it an auditor asks about. */
const EDITABLE = [
  'name',
  'ref',
  'date',
  'invoice_date',
  'invoice_date_due',
  'journal_id',
  'partner_id',
  'partner_bank_id',
  'currency_id',
  'amount_total',
  'payment_reference',
] as const;
/** And of its lines, whose changes Odoo tells with those of the entry. */
const LINE_EDITABLE = ['account_id', 'name', 'tax_ids', 'date', 'balance', 'partner_id'] as const;
const IS_EDITABLE: ReadonlySet<string> = new Set<string>([
  ...EDITABLE,
  ...LINE_EDITABLE.map((field) => `line_ids/${field}`),
]);

/** A credit note is not paid, it is applied. */
const paymentWords = (kind: string): Readonly<Record<string, string>> =>
  kind === 'creditnote' ? { ...OF_PAYMENT, paid: 'applied', partial: 'partiallyapplied' } : OF_PAYMENT;

/** `account.move`: bills, invoices, credit notes and all other journal entries (finance.md B.5, E.3). */
export const journalEntries: RecordKind = {
  model: 'account.move',
  watched: [
    'state',
    'payment_state',
    'checked',
    'to_check',
    'inalterable_hash',
    'peppol_move_state',
    ...EDITABLE,
  ],
  kept: ['move_type', 'company_id', 'commercial_partner_id', 'amount_total_signed', 'invoice_origin'],
  types: [
    ...['bill', 'invoice', 'creditnote', 'journalentry'].flatMap((kind) =>
      typesOf(kind, [
        'drafted',
        ...Object.values(OF_STATE),
        ...(kind === 'journalentry' ? [] : Object.values(paymentWords(kind))),
        'checked',
        'unchecked',
        'flagged',
        'changed',
        'deleted',
      ]),
    ),
    ...typesOf('einvoice', [...new Set(Object.values(OF_PEPPOL))]),
  ],
  initial: { state: 'draft', payment_state: 'not_paid', inalterable_hash: false, peppol_move_state: false },

  created: (record) => [plainFact(`${kindOf(record)}.drafted`)],

  changed(changes, record) {
    const kind = kindOf(record);
    const of = (field: string) => changeOf(changes, field);
    const state = of('state');
    return [
      ...wordOf(kind, state, OF_STATE),
      ...(kind === 'journalentry' ? [] : wordOf(kind, of('payment_state'), paymentWords(kind))),
      ...(state ? [] : reviewed(kind, of('checked') ?? of('to_check'))),
      ...wordOf('einvoice', of('peppol_move_state'), OF_PEPPOL),
      ...tampered(kind, of('inalterable_hash')),
      // What changes as an entry is posted or taken back belongs to that, also that it counts as reviewed; what changes in a draft is work
      // in progress.
      ...(state || textOf(record.values.state) !== 'posted'
        ? []
        : changedFact(`${kind}.changed`, changes, IS_EDITABLE)),
    ];
  },

  deleted: (record) => [plainFact(`${kindOf(record)}.deleted`)],

  describe(record, around) {
    const { id, values } = record;
    const kind = kindOf(record);
    const subject = subjectOf('account.move', id);
    const company = idOf(values.company_id);
    const own = around.company(company);
    const party = partyOf(idOf(values.commercial_partner_id) ?? idOf(values.partner_id));
    const date = dateOf(values.date);
    const origin = textOf(values.invoice_origin);
    const isPurchase = String(values.move_type).startsWith('in_');
    return defined({
      company,
      period: date?.slice(0, 7),
      journalKey: subjectIn('account.journal', values.journal_id),
      object: defined({
        kind,
        nativeModel: 'account.move',
        nativeId: String(id),
        docNumber: numberOf(values.name),
        state: textOf(values.state),
      }),
      party: party === undefined ? undefined : { partyKey: party },
      money: moneyOf(values.amount_total, around.currency(idOf(values.currency_id)), {
        company: own,
        companyAmount: values.amount_total_signed,
        residual: values.amount_residual,
        isNegative: kind === 'creditnote',
      }),
      dates: defined({
        documentDate: dateOf(values.invoice_date),
        accountingDate: date,
        dueDate: dateOf(values.invoice_date_due),
      }),
      keys: recordKeys(subject, {
        docno: numberOf(values.name),
        po: isPurchase ? origin : undefined,
        so: isPurchase ? undefined : origin,
        payref: textOf(values.payment_reference),
        peppol: textOf(values.peppol_message_uuid),
        supref: { party: isPurchase ? party : undefined, reference: textOf(values.ref) },
        subjects: [
          subjectIn('account.move', values.reversed_entry_id),
          subjectIn('account.payment', values.origin_payment_id),
          subjectIn('account.bank.statement.line', values.statement_line_id),
        ],
      }),
      attributes: defined({
        paymentState: textOf(values.payment_state),
        moveType: textOf(values.move_type),
        reference: textOf(values.ref),
        autoPost: textOf(values.auto_post) === 'no' ? undefined : textOf(values.auto_post),
        hash: textOf(values.inalterable_hash),
      }) as Record<string, string>,
    });
  },
};

/** `to_check` (17) says the opposite of `checked`. */
function reviewed(kind: string, change: Change | undefined): Fact[] {
  if (!change) return [];
  const isChecked = change.field === 'checked' ? change.after === true : change.after !== true;
  return [{ type: `${kind}.${isChecked ? 'checked' : 'unchecked'}`, changes: [change] }];
}

/** A hash that was there never changes and never goes. */
function tampered(kind: string, change: Change | undefined): Fact[] {
  const hadOne = change !== undefined && textOf(change.before) !== undefined;
  return hadOne ? [{ type: `${kind}.flagged`, changes: [change] }] : [];
}

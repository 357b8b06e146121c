import { dateOf, idOf, textOf } from '../../../odoo/values.ts';
import { scrubbed } from '../../files/bank/privacy.ts';
import { paymentReferences } from '../../files/bank/references.ts';
import { recordKeys } from '../keys.ts';
import {
  changeOf,
  defined,
  moneyOf,
  partyOf,
  plainFact,
  type RecordKind,
  subjectIn,
  subjectOf,
  typesOf,
} from '../kind.ts';

/** `account.bank.statement.line`: what the bank says, and whether the books know it. */
export const statementLines: RecordKind = {
  model: 'account.bank.statement.line',
  watched: ['is_reconciled', 'amount'],
  kept: ['move_id', 'company_id', 'journal_id', 'partner_id', 'currency_id', 'payment_ref', 'statement_id'],
  types: typesOf('statementline', ['imported', 'reconciled', 'unreconciled', 'changed', 'deleted']),
  initial: { is_reconciled: false },
  created: () => [plainFact('statementline.imported')],

  changed(changes) {
    const change = changeOf(changes, 'is_reconciled');
    const amount = changeOf(changes, 'amount');
    return [
      ...(change
        ? [
            {
              type: change.after === true ? 'statementline.reconciled' : 'statementline.unreconciled',
              changes: [change],
            },
          ]
        : []),
      ...(amount ? [{ type: 'statementline.changed', changes: [amount] }] : []),
    ];
  },

  deleted: () => [plainFact('statementline.deleted')],

  describe({ id, values }, around) {
    // Up to 17 a line has company, journal and date of its entry.
    const entry = around.other('account.move', idOf(values.move_id))?.values ?? {};
    const company = idOf(values.company_id) ?? idOf(entry.company_id);
    const journal = values.journal_id ?? entry.journal_id;
    const date = dateOf(entry.date);
    const own = around.company(company);
    const currency = around.currency(idOf(values.currency_id));
    const party = partyOf(idOf(values.partner_id));
    return defined({
      company,
      period: date?.slice(0, 7),
      journalKey: subjectIn('account.journal', journal),
      object: {
        kind: 'statementline',
        nativeModel: 'account.bank.statement.line',
        nativeId: String(id),
        state: values.is_reconciled === true ? 'reconciled' : 'open',
      },
      party: party === undefined ? undefined : { partyKey: party },
      money: moneyOf(values.amount, currency ?? (own && { code: own.currency, places: own.places })),
      dates: defined({ valueDate: date }),
      keys: [
        ...recordKeys(subjectOf('account.bank.statement.line', id), {
          subjects: [
            subjectIn('account.move', values.move_id),
            subjectIn('account.bank.statement', values.statement_id),
          ],
        }),
        // What a payer wrote: exact where it bears out its check digits, and never an account number.
        ...paymentReferences([], scrubbed(textOf(values.payment_ref) ?? '', [])),
      ],
    });
  },
};

/** `account.bank.statement`. */
export const bankStatements: RecordKind = {
  model: 'account.bank.statement',
  watched: ['is_complete', 'balance_end_real'],
  kept: ['name', 'date', 'journal_id', 'company_id'],
  types: typesOf('bankstatement', ['imported', 'balanced', 'deleted']),
  initial: { is_complete: false },
  created: () => [plainFact('bankstatement.imported')],

  changed(changes) {
    const change = changeOf(changes, 'is_complete');
    return change?.after === true ? [{ type: 'bankstatement.balanced', changes: [change] }] : [];
  },

  deleted: () => [plainFact('bankstatement.deleted')],

  describe({ id, values }, around) {
    const company = idOf(values.company_id);
    const own = around.company(company);
    const date = dateOf(values.date);
    return defined({
      company,
      period: date?.slice(0, 7),
      journalKey: subjectIn('account.journal', values.journal_id),
      object: defined({
        kind: 'bankstatement',
        nativeModel: 'account.bank.statement',
        nativeId: String(id),
        docNumber: textOf(values.name),
        state: values.is_complete === true ? 'complete' : 'open',
      }),
      money: own && moneyOf(values.balance_end_real, { code: own.currency, places: own.places }),
      dates: defined({ documentDate: date }),
      keys: recordKeys(subjectOf('account.bank.statement', id), {}),
    });
  },
};

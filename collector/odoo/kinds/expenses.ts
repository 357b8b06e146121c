import { dateOf, idOf, idsOf, textOf } from '../../../odoo/values.ts';
import { recordKeys } from '../keys.ts';
import {
  changedFact,
  changeOf,
  defined,
  moneyOf,
  plainFact,
  type RecordKind,
  subjectIn,
  subjectOf,
  typesOf,
  wordOf,
} from '../kind.ts';

const EDITABLE: ReadonlySet<string> = new Set(['total_amount', 'total_amount_currency', 'employee_id']);
/** 17 and 18 spell `reported, done`; 19 has no sheets, and payment in the state. */
const OF_EXPENSE: Readonly<Record<string, string>> = {
  submitted: 'submitted',
  approved: 'approved',
  posted: 'posted',
  done: 'reimbursed',
  paid: 'reimbursed',
  refused: 'refused',
  in_payment: 'inpayment',
  draft: 'resettodraft',
};
const OF_SHEET: Readonly<Record<string, string>> = {
  submit: 'submitted',
  approve: 'approved',
  post: 'posted',
  done: 'reimbursed',
  cancel: 'refused',
  draft: 'resettodraft',
};

const employeeOf = (value: unknown): string | undefined => subjectIn('hr.employee', value);

/** `hr.expense`: what somebody spent for the company. */
export const expenses: RecordKind = {
  model: 'hr.expense',
  watched: ['state', ...EDITABLE],
  kept: ['company_id', 'currency_id', 'date', 'sheet_id', 'account_move_id'],
  types: typesOf('expense', ['drafted', ...new Set(Object.values(OF_EXPENSE)), 'changed', 'deleted']),
  initial: { state: 'draft' },
  created: () => [plainFact('expense.drafted')],

  changed(changes, record) {
    const state = changeOf(changes, 'state');
    const isOpen = textOf(record.values.state) !== 'draft';
    return [
      ...wordOf('expense', state, OF_EXPENSE),
      ...(state || !isOpen ? [] : changedFact('expense.changed', changes, EDITABLE)),
    ];
  },

  deleted: () => [plainFact('expense.deleted')],

  describe({ id, values }, around) {
    const company = idOf(values.company_id);
    const own = around.company(company);
    const employee = employeeOf(values.employee_id);
    const date = dateOf(values.date);
    return defined({
      company,
      object: defined({
        kind: 'expense',
        nativeModel: 'hr.expense',
        nativeId: String(id),
        state: textOf(values.state),
      }),
      party: employee === undefined ? undefined : { partyKey: employee },
      money: moneyOf(values.total_amount_currency, around.currency(idOf(values.currency_id)), {
        company: own,
        companyAmount: values.total_amount,
      }),
      dates: defined({ documentDate: date }),
      keys: recordKeys(subjectOf('hr.expense', id), {
        subjects: [
          subjectIn('hr.expense.sheet', values.sheet_id),
          subjectIn('account.move', values.account_move_id),
        ],
      }),
      attributes: defined({ paidBy: textOf(values.payment_mode) }) as Record<string, string>,
    });
  },
};

/** `hr.expense.sheet`, up to 18: expenses that are handed in, approved and posted together. */
export const expenseSheets: RecordKind = {
  model: 'hr.expense.sheet',
  watched: ['state', 'total_amount'],
  kept: ['company_id', 'employee_id'],
  types: typesOf('expensesheet', ['drafted', ...new Set(Object.values(OF_SHEET)), 'deleted']),
  initial: { state: 'draft' },
  created: () => [plainFact('expensesheet.drafted')],
  changed: (changes) => wordOf('expensesheet', changeOf(changes, 'state'), OF_SHEET),
  deleted: () => [plainFact('expensesheet.deleted')],

  describe({ id, values }, around) {
    const company = idOf(values.company_id);
    const own = around.company(company);
    const employee = employeeOf(values.employee_id);
    return defined({
      company,
      object: defined({
        kind: 'expensesheet',
        nativeModel: 'hr.expense.sheet',
        nativeId: String(id),
        state: textOf(values.state),
      }),
      party: employee === undefined ? undefined : { partyKey: employee },
      money: own && moneyOf(values.total_amount, { code: own.currency, places: own.places }),
      keys: recordKeys(subjectOf('hr.expense.sheet', id), {
        subjects: idsOf(values.account_move_ids).map((move) => subjectOf('account.move', move)),
      }),
    });
  },
};

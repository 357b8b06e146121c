import { dateOf, idOf } from '../../../odoo/values.ts';
import { recordKeys } from '../keys.ts';
import {
  defined,
  moneyOf,
  type OdooRecord,
  plainFact,
  type RecordKind,
  type Surroundings,
  subjectIn,
  subjectOf,
  typesOf,
} from '../kind.ts';

/**
 * `account.partial.reconcile`: that two journal items settle each other. A row is never changed, and goes when the
 * reconciliation is undone, of which nothing else is left.
 */
export const reconciliations: RecordKind = {
  model: 'account.partial.reconcile',
  watched: [],
  kept: ['debit_move_id', 'credit_move_id', 'amount', 'max_date', 'company_id'],
  types: typesOf('reconciliation', ['completed', 'undone']),
  initial: {},
  created: () => [plainFact('reconciliation.completed')],
  changed: () => [],
  deleted: () => [plainFact('reconciliation.undone')],

  describe({ id, values }, around) {
    const company = idOf(values.company_id);
    const own = around.company(company);
    const date = dateOf(values.max_date);
    return defined({
      company,
      period: date?.slice(0, 7),
      object: { kind: 'reconciliation', nativeModel: 'account.partial.reconcile', nativeId: String(id) },
      money: own && moneyOf(values.amount, { code: own.currency, places: own.places }),
      dates: defined({ accountingDate: date }),
      keys: recordKeys(subjectOf('account.partial.reconcile', id), {
        subjects: [entryOf(values.debit_move_id, around), entryOf(values.credit_move_id, around)],
      }),
    });
  },
};

/** The entry that a journal item is a line of. */
function entryOf(item: unknown, around: Surroundings): string | undefined {
  const line: OdooRecord | undefined = around.other('account.move.line', idOf(item));
  return line && subjectIn('account.move', line.values.move_id);
}

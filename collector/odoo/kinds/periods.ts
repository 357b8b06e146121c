import { dateOf, idOf, instantOf, textOf } from '../../../odoo/values.ts';
import { recordKeys } from '../keys.ts';
import { defined, plainFact, type RecordKind, subjectIn, subjectOf, typesOf } from '../kind.ts';

/** The dates up to which the books are closed: 17 knows three, 18 and 19 five. */
const LOCKS = [
  'fiscalyear_lock_date',
  'tax_lock_date',
  'period_lock_date',
  'sale_lock_date',
  'purchase_lock_date',
  'hard_lock_date',
] as const;

/** `res.company`: its lock dates, each of which is a fact of its own. */
export const lockDates: RecordKind = {
  model: 'res.company',
  watched: LOCKS,
  kept: [],
  types: typesOf('period', ['lockset', 'lockremoved']),
  initial: {},
  created: () => [],
  changed: (changes) =>
    changes
      .filter(({ field }) => (LOCKS as readonly string[]).includes(field))
      .map((change) => ({
        type: dateOf(change.after) === undefined ? 'period.lockremoved' : 'period.lockset',
        changes: [change],
      })),
  deleted: () => [],

  describe({ id, values }) {
    return {
      company: id,
      object: { kind: 'period', nativeModel: 'res.company', nativeId: String(id) },
      keys: recordKeys(subjectOf('res.company', id), {}),
      attributes: defined(Object.fromEntries(LOCKS.map((lock) => [lock, dateOf(values[lock])]))) as Record<
        string,
        string
      >,
    };
  },
};

/** `account.lock_exception`, from 18 on: that a lock does not hold for somebody, or for all, for a while. */
export const lockExceptions: RecordKind = {
  model: 'account.lock_exception',
  watched: ['active', 'end_datetime', 'lock_date'],
  kept: ['company_id', 'user_id', 'lock_date_field'],
  types: typesOf('period', ['lockexceptiongranted', 'lockexceptionrevoked']),
  initial: { active: true },
  created: () => [plainFact('period.lockexceptiongranted')],
  changed: (changes) =>
    changes
      .filter(({ field, after }) => field === 'active' && after === false)
      .map((change) => ({ type: 'period.lockexceptionrevoked', changes: [change] })),
  deleted: () => [plainFact('period.lockexceptionrevoked')],

  describe({ id, values }) {
    return {
      company: idOf(values.company_id),
      object: {
        kind: 'period',
        nativeModel: 'account.lock_exception',
        nativeId: String(id),
        state: values.active === true ? 'active' : 'revoked',
      },
      keys: recordKeys(subjectOf('account.lock_exception', id), {
        subjects: [subjectIn('res.company', values.company_id)],
      }),
      attributes: defined({
        lock: textOf(values.lock_date_field),
        lockDate: dateOf(values.lock_date),
        until: instantOf(values.end_datetime) ?? 'for ever',
        for: subjectIn('res.users', values.user_id) ?? 'everyone',
        reason: textOf(values.reason),
      }) as Record<string, string>,
    };
  },
};

import { idOf, textOf } from '../../../odoo/values.ts';
import { recordKeys } from '../keys.ts';
import {
  changeOf,
  defined,
  type Fact,
  partyOf,
  plainFact,
  type RecordKind,
  subjectOf,
  typesOf,
} from '../kind.ts';

const NUMBER: ReadonlySet<string> = new Set(['acc_number', 'partner_id', 'bank_id']);

/** `res.partner.bank`: the accounts that payments go to, the first thing that a fraud changes. Numbers are known by stand-ins alone. */
export const bankAccounts: RecordKind = {
  model: 'res.partner.bank',
  watched: ['acc_number', 'partner_id', 'bank_id', 'allow_out_payment', 'active'],
  kept: ['company_id'],
  hidden: ['acc_number'],
  types: typesOf('supplier', [
    'bankaccountadded',
    'bankaccountchanged',
    'bankverified',
    'bankunverified',
    'bankaccountarchived',
    'bankaccountrestored',
    'bankaccountremoved',
  ]),
  initial: { allow_out_payment: false, active: true },
  created: () => [plainFact('supplier.bankaccountadded')],

  changed(changes) {
    const trusted = changeOf(changes, 'allow_out_payment');
    const active = changeOf(changes, 'active');
    const number = changes.filter(({ field }) => NUMBER.has(field));
    return [
      ...(number.length > 0 ? [{ type: 'supplier.bankaccountchanged', changes: number }] : []),
      ...(trusted
        ? [
            {
              type: trusted.after === true ? 'supplier.bankverified' : 'supplier.bankunverified',
              changes: [trusted],
            },
          ]
        : []),
      ...(active
        ? [
            {
              type: active.after === false ? 'supplier.bankaccountarchived' : 'supplier.bankaccountrestored',
              changes: [active],
            },
          ]
        : []),
    ] satisfies Fact[];
  },

  deleted: () => [plainFact('supplier.bankaccountremoved')],

  describe({ id, values }) {
    const party = partyOf(idOf(values.partner_id));
    return defined({
      company: idOf(values.company_id),
      object: {
        kind: 'supplier',
        nativeModel: 'res.partner.bank',
        nativeId: String(id),
        state: values.allow_out_payment === true ? 'trusted' : 'untrusted',
      },
      party: party === undefined ? undefined : { partyKey: party },
      keys: recordKeys(subjectOf('res.partner.bank', id), { subjects: [party] }),
      attributes: defined({ account: textOf(values.acc_number) }) as Record<string, string>,
    });
  },
};

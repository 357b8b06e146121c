import { createHash } from 'node:crypto';
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

/** `res.partner.bank`: the accounts that payments go to, the first thing that a fraud changes. Numbers are kept as a hash. */
export const bankAccounts: RecordKind = {
  model: 'res.partner.bank',
  watched: ['acc_number', 'partner_id', 'bank_id', 'allow_out_payment', 'active'],
  kept: ['company_id'],
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
      ...(number.length > 0 ? [{ type: 'supplier.bankaccountchanged', changes: number.map(hidden) }] : []),
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
      attributes: defined({ accountHash: hashOf(textOf(values.acc_number)) }) as Record<string, string>,
    });
  },
};

function hashOf(number: string | undefined): string | undefined {
  const plain = number?.replaceAll(/\s/g, '').toUpperCase();
  return plain === undefined ? undefined : createHash('sha256').update(plain).digest('hex').slice(0, 16);
}

const hidden = <T extends { readonly field: string; readonly before: unknown; readonly after: unknown }>(
  change: T,
): T =>
  change.field === 'acc_number'
    ? { ...change, before: hashOf(textOf(change.before)), after: hashOf(textOf(change.after)) }
    : change;

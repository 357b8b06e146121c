import { idOf, instantOf, textOf } from '../../../odoo/values.ts';
import { recordKeys } from '../keys.ts';
import {
  type Change,
  changedFact,
  changeOf,
  defined,
  type Fact,
  moneyOf,
  nowTrue,
  type OdooRecord,
  partyOf,
  plainFact,
  type RecordKind,
  type Surroundings,
  subjectOf,
  typesOf,
  wordOf,
} from '../kind.ts';

const EDITABLE: ReadonlySet<string> = new Set(['partner_id', 'currency_id', 'amount_total', 'partner_ref']);
const OF_PURCHASE: Readonly<Record<string, string>> = {
  cancel: 'cancelled',
  done: 'locked',
  draft: 'resettodraft',
  sent: 'sent',
};
const OF_SALE: Readonly<Record<string, string>> = {
  sale: 'confirmed',
  cancel: 'cancelled',
  draft: 'resettodraft',
  sent: 'sent',
};

/** What an order of either side is described by. */
function describeOrder(model: string, kind: string, { id, values }: OdooRecord, around: Surroundings) {
  const company = idOf(values.company_id);
  const party = partyOf(idOf(values.partner_id));
  const number = textOf(values.name);
  const day = instantOf(values.date_order)?.slice(0, 10);
  return defined({
    company,
    object: defined({
      kind,
      nativeModel: model,
      nativeId: String(id),
      docNumber: number,
      state: textOf(values.state),
    }),
    party: party === undefined ? undefined : { partyKey: party },
    money: moneyOf(values.amount_total, around.currency(idOf(values.currency_id))),
    dates: defined({ documentDate: day }),
    keys: recordKeys(subjectOf(model, id), {
      ...(kind === 'purchaseorder' ? { po: number } : { so: number }),
      supref: { party, reference: textOf(values.partner_ref ?? values.client_order_ref) },
    }),
  });
}

/**
 * `purchase.order`. Double validation shows as a state between: a buyer's order waits in `to approve`, and becomes `purchase` by
 * the hand of another (SEMANTICS 7).
 */
export const purchaseOrders: RecordKind = {
  model: 'purchase.order',
  watched: ['state', 'locked', 'acknowledged', ...EDITABLE],
  kept: ['name', 'company_id'],
  types: typesOf('purchaseorder', [
    'drafted',
    'submitted',
    'approved',
    'confirmed',
    ...Object.values(OF_PURCHASE),
    'acknowledged',
    'unlocked',
    'changed',
    'deleted',
  ]),
  initial: { state: 'draft', locked: false, acknowledged: false },
  created: () => [plainFact('purchaseorder.drafted')],

  changed(changes, record) {
    const state = changeOf(changes, 'state');
    const isOpen = ['purchase', 'done', 'to approve'].includes(String(record.values.state));
    return [
      ...confirmed(state),
      ...wordOf('purchaseorder', state, OF_PURCHASE),
      ...nowTrue('purchaseorder.locked', changeOf(changes, 'locked')),
      ...unlocked(state, changeOf(changes, 'locked')),
      ...nowTrue('purchaseorder.acknowledged', changeOf(changes, 'acknowledged')),
      ...(state || !isOpen ? [] : changedFact('purchaseorder.changed', changes, EDITABLE)),
    ];
  },

  deleted: () => [plainFact('purchaseorder.deleted')],
  describe: (record, around) => describeOrder('purchase.order', 'purchaseorder', record, around),
};

/** It may be changed again: a state up to 18, a flag from 19 on. */
function unlocked(state: Change | undefined, locked: Change | undefined): Fact[] {
  const change = state?.before === 'done' && state.after === 'purchase' ? state : locked;
  const isUnlocked = change === state || (change?.before === true && change.after !== true);
  return change && isUnlocked ? [{ type: 'purchaseorder.unlocked', changes: [change] }] : [];
}

function confirmed(state: Change | undefined): Fact[] {
  if (state?.after === 'to approve') return [{ type: 'purchaseorder.submitted', changes: [state] }];
  if (state?.after !== 'purchase' || state.before === 'done') return [];
  const one = (type: string): Fact => ({ type, changes: [state] });
  return state.before === 'to approve'
    ? [one('purchaseorder.approved'), one('purchaseorder.confirmed')]
    : [one('purchaseorder.confirmed')];
}

/** `sale.order`. */
export const salesOrders: RecordKind = {
  model: 'sale.order',
  watched: ['state', ...EDITABLE],
  kept: ['name', 'company_id'],
  types: typesOf('salesorder', ['drafted', ...Object.values(OF_SALE), 'changed', 'deleted']),
  initial: { state: 'draft' },
  created: () => [plainFact('salesorder.drafted')],

  changed(changes, record) {
    const state = changeOf(changes, 'state');
    const isOpen = String(record.values.state) === 'sale';
    return [
      ...wordOf('salesorder', state, OF_SALE),
      ...(state || !isOpen ? [] : changedFact('salesorder.changed', changes, EDITABLE)),
    ];
  },

  deleted: () => [plainFact('salesorder.deleted')],
  describe: (record, around) => describeOrder('sale.order', 'salesorder', record, around),
};

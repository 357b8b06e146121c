import { idOf, instantOf, textOf } from '../../../odoo/values.ts';
import { recordKeys } from '../keys.ts';
import {
  type Change,
  changeOf,
  defined,
  type Fact,
  type OdooRecord,
  partyOf,
  type RecordKind,
  subjectIn,
  subjectOf,
  typesOf,
} from '../kind.ts';

/** Where goods go, by the type of their operation: `incoming`, `outgoing`; others stay in the house. */
const directionOf = ({ values }: OdooRecord): string => String(values.picking_type_code ?? '');
const kindOf = (record: OdooRecord): string =>
  directionOf(record) === 'outgoing' ? 'delivery' : 'goodsreceipt';

/** `stock.picking`: receipts from suppliers and deliveries to customers; what moves within the house is no event. */
export const transfers: RecordKind = {
  model: 'stock.picking',
  watched: ['state'],
  kept: ['name', 'picking_type_code', 'company_id', 'partner_id', 'origin', 'purchase_id'],
  types: ['goodsreceipt', 'delivery'].flatMap((kind) =>
    typesOf(kind, ['expected', 'recorded', 'returned', 'cancelled', 'deleted']),
  ),
  initial: { state: 'draft' },
  created: (record) => [{ type: `${kindOf(record)}.expected`, changes: [] }].filter(() => isOutside(record)),

  changed(changes, record) {
    const state = changeOf(changes, 'state');
    return state && isOutside(record) ? done(record, state) : [];
  },

  deleted: (record) => [{ type: `${kindOf(record)}.deleted`, changes: [] }].filter(() => isOutside(record)),

  describe(record) {
    const { id, values } = record;
    const kind = kindOf(record);
    const party = partyOf(idOf(values.partner_id));
    const origin = textOf(values.origin);
    const day = instantOf(values.date_done)?.slice(0, 10);
    return defined({
      company: idOf(values.company_id),
      object: defined({
        kind,
        nativeModel: 'stock.picking',
        nativeId: String(id),
        docNumber: textOf(values.name),
        state: textOf(values.state),
      }),
      party: party === undefined ? undefined : { partyKey: party },
      dates: defined({ deliveryDate: day }),
      keys: recordKeys(subjectOf('stock.picking', id), {
        docno: textOf(values.name),
        ...(kind === 'goodsreceipt' ? { po: origin } : { so: origin }),
        subjects: [
          subjectIn('stock.picking', values.backorder_id),
          subjectIn('stock.picking', values.return_id),
          subjectIn('purchase.order', values.purchase_id),
        ],
      }),
    });
  },
};

const isOutside = (record: OdooRecord): boolean => ['incoming', 'outgoing'].includes(directionOf(record));

/** A receipt with what is still to come is one in part: a second one, its backorder, waits for the rest. */
function done(record: OdooRecord, state: Change): Fact[] {
  const kind = kindOf(record);
  if (state.after === 'cancel') return [{ type: `${kind}.cancelled`, changes: [state] }];
  if (state.after !== 'done') return [];
  if (idOf(record.values.return_id)) return [{ type: `${kind}.returned`, changes: [state] }];
  return [{ type: `${kind}.recorded`, changes: [state] }];
}

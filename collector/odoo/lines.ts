import { Decimal } from 'decimal.js';
import type { Domain, Odoo } from '../../odoo/client.ts';
import { amountOf, idOf, idsOf, type OdooRow, type OdooValue } from '../../odoo/values.ts';
import { defined, subjectOf } from './kind.ts';

/** A line of a document: who ordered what, received what, billed what, at which price. */
export interface DocumentLine {
  /** The order line that it belongs to, `purchase.order.line/7`; of an order its own. */
  readonly poline?: string;
  readonly product?: string;
  /** Decimal text, as the price and the amount are, in the currency of the document. */
  readonly qty?: string;
  readonly price?: string;
  readonly amount?: string;
  readonly account?: string;
  /** Ids of taxes. */
  readonly tax?: readonly string[];
}

interface LineModel {
  readonly model: string;
  /** The field that names the document. */
  readonly document: string;
  /** Where each part of a line is, the first of these names that this Odoo has. */
  readonly parts: Readonly<Record<Part, readonly string[]>>;
  /** Sections, notes, taxes and terms are no lines of a document. */
  readonly domain: Domain;
  /** Facts that carry lines: what was ordered, received, billed by then. */
  readonly facts: ReadonlySet<string>;
}
type Part = 'poline' | 'product' | 'qty' | 'price' | 'amount' | 'account' | 'tax';

const POSTED = ['bill', 'invoice', 'creditnote'].flatMap((kind) => [`${kind}.posted`, `${kind}.changed`]);
const LINES: Readonly<Record<string, LineModel>> = {
  'account.move': {
    model: 'account.move.line',
    document: 'move_id',
    parts: {
      poline: ['purchase_line_id'],
      product: ['product_id'],
      qty: ['quantity'],
      price: ['price_unit'],
      amount: ['price_subtotal'],
      account: ['account_id'],
      tax: ['tax_ids'],
    },
    domain: [['display_type', '=', 'product']],
    facts: new Set(POSTED),
  },
  'purchase.order': {
    model: 'purchase.order.line',
    document: 'order_id',
    parts: {
      poline: ['id'],
      product: ['product_id'],
      qty: ['product_qty'],
      price: ['price_unit'],
      amount: ['price_subtotal'],
      account: [],
      tax: ['tax_ids', 'taxes_id'],
    },
    domain: [['display_type', '=', false]],
    facts: new Set(['submitted', 'approved', 'confirmed', 'changed'].map((fact) => `purchaseorder.${fact}`)),
  },
  'sale.order': {
    model: 'sale.order.line',
    document: 'order_id',
    parts: {
      poline: [],
      product: ['product_id'],
      qty: ['product_uom_qty'],
      price: ['price_unit'],
      amount: ['price_subtotal'],
      account: [],
      tax: ['tax_ids', 'tax_id'],
    },
    domain: [['display_type', '=', false]],
    facts: new Set(['salesorder.confirmed', 'salesorder.changed']),
  },
  'stock.picking': {
    model: 'stock.move',
    document: 'picking_id',
    parts: {
      poline: ['purchase_line_id'],
      product: ['product_id'],
      qty: ['quantity', 'product_uom_qty'],
      price: [],
      amount: [],
      account: [],
      tax: [],
    },
    domain: [['state', '=', 'done']],
    facts: new Set(['goodsreceipt', 'delivery'].flatMap((kind) => [`${kind}.recorded`, `${kind}.returned`])),
  },
};

/** Models that lines are read of. */
export const LINE_MODELS: readonly string[] = Object.values(LINES).map(({ model }) => model);

/** Lines of a document, at most: more are cut off. */
const MAX_LINES = 1_000;
const PLACES = 6;

/** The lines of documents, as far as the key may read them. */
export interface LineReader {
  /** Does a fact of this type carry lines here? */
  carries(model: string, type: string): boolean;
  /** Those of documents, by document, in one call; documents without any are left out. Throws an OdooError. */
  of(model: string, ids: readonly number[]): Promise<ReadonlyMap<number, readonly DocumentLine[]>>;
}

/** Finds out which lines there are and may be read. Throws an OdooError. */
export async function openLines(odoo: Odoo): Promise<LineReader> {
  const readable = new Map<
    string,
    { readonly spec: LineModel; readonly fields: ReadonlyMap<Part, string> }
  >();
  for (const [document, spec] of Object.entries(LINES)) {
    const infos = await odoo.fieldsGet(spec.model);
    if (!infos?.has(spec.document) || !(await odoo.mayAccess(spec.model, 'read'))) continue;
    const fields = Object.entries(spec.parts).flatMap(([part, names]) => {
      const name = names.find((one) => one === 'id' || infos.has(one));
      return name === undefined ? [] : [[part as Part, name] as const];
    });
    readable.set(document, { spec, fields: new Map(fields) });
  }
  return {
    carries: (model, type) => readable.get(model)?.spec.facts.has(type) === true,
    async of(model, ids) {
      const found = readable.get(model);
      if (!found || ids.length === 0) return new Map();
      const { spec, fields } = found;
      const rows = await odoo.searchRead(spec.model, {
        domain: [[spec.document, 'in', ids], ...spec.domain],
        fields: [spec.document, ...new Set(fields.values())],
        order: 'id',
      });
      const byDocument = Map.groupBy(rows, (row) => idOf(row[spec.document]) ?? 0);
      return new Map(
        [...byDocument].map(([id, own]) => [
          id,
          own.slice(0, MAX_LINES).map((row) => lineOf(row, fields, spec.model)),
        ]),
      );
    },
  };
}

function lineOf(row: OdooRow, fields: ReadonlyMap<Part, string>, model: string): DocumentLine {
  const value = (part: Part): OdooValue => {
    const name = fields.get(part);
    return name === undefined ? undefined : row[name];
  };
  const reference = (part: Part, of: string): string | undefined => {
    const id = idOf(value(part));
    return id === undefined ? undefined : subjectOf(of, id);
  };
  const number = (part: Part): string | undefined => {
    const text = amountOf(value(part), PLACES);
    return text === undefined ? undefined : new Decimal(text).toFixed();
  };
  const taxes = idsOf(value('tax')).map(String);
  return defined({
    poline:
      model === 'purchase.order.line' ? subjectOf(model, row.id) : reference('poline', 'purchase.order.line'),
    product: reference('product', 'product.product'),
    qty: number('qty'),
    price: number('price'),
    amount: number('amount'),
    account: reference('account', 'account.account'),
    tax: taxes.length > 0 ? taxes : undefined,
  });
}

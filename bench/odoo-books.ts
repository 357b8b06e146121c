import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { OdooStandIn } from '../test/stand-ins/odoo/server.ts';

/** Books of any size, made as they are asked for: entry `id` was made and posted by two transactions of its own. */
export interface BooksWish {
  readonly entries: number;
  /** What an answer takes, milliseconds: as such, and for each record of it. */
  readonly callMs: number;
  readonly recordMs: number;
}

/** Seconds: the first entry was made then; fifty share a second. */
const BEGINNING = Date.UTC(2026, 0, 1) / 1000;
const A_SECOND = 50;
const TRACKED = ['name', 'checked', 'state'] as const;

const writtenAt = (id: number): string =>
  new Date((BEGINNING + Math.floor(id / A_SECOND)) * 1000).toISOString().slice(0, 19).replace('T', ' ');
const secondOf = (text: string): number => Date.parse(`${text.replace(' ', 'T')}Z`) / 1000;

function entryOf(id: number, fields: readonly string[]): object {
  const stamps = { create_uid: 2, create_date: writtenAt(id), write_uid: 2, write_date: writtenAt(id) };
  const row: Record<string, unknown> = {
    ...{
      id,
      name: `BILL/2026/${id}`,
      state: 'posted',
      move_type: 'in_invoice',
      payment_state: 'not_paid',
      checked: true,
    },
    ...{
      ref: `S-${id}`,
      date: '2026-01-01',
      invoice_date: '2026-01-01',
      journal_id: 2,
      company_id: 1,
      currency_id: 1,
    },
    ...{
      partner_id: 7 + (id % 300),
      commercial_partner_id: 7 + (id % 300),
      amount_total: (id % 100_000) / 100,
    },
    ...{
      amount_untaxed: (id % 100_000) / 100,
      amount_residual: 0,
      amount_total_signed: -(id % 100_000) / 100,
      auto_post: 'no',
    },
    ...stamps,
  };
  return { id, ...Object.fromEntries(fields.map((name) => [name, row[name] ?? false])) };
}

const idsFrom = (first: number, count: number, entries: number): number[] =>
  Array.from({ length: Math.max(0, Math.min(count, entries - first + 1)) }, (_, i) => first + i);

/** Serves them on a port of loopback; `at` is added to the clock so that the books end now. */
async function serve({ entries, callMs, recordMs }: BooksWish): Promise<OdooStandIn> {
  const odoo = new OdooStandIn(18, [{ login: 'reader', secret: 'secret', rights: 'reader' }]);
  const fieldIds = new Map(
    odoo.db
      .rows('ir.model.fields')
      .flatMap((row) => (row.model === 'account.move' ? [[String(row.name), row.id]] : [])),
  );
  odoo.delayOf = (records) => callMs + recordMs * records;
  odoo.answer = (model, method, args) => {
    const domain = (args.domain ?? []) as [string, string, never][];
    const condition = (field: string): never | undefined => domain.find(([name]) => name === field)?.[2];
    if (model === 'account.move' && method === 'search_count') return entries;
    if (model === 'account.move' && method === 'search_read') {
      const limit = Number(args.limit ?? entries);
      const since = condition('write_date');
      const after = condition('id');
      const first =
        after !== undefined
          ? Number(after) + 1
          : Math.max(1, (secondOf(String(since)) - BEGINNING) * A_SECOND);
      return idsFrom(first, limit, entries).map((id) => entryOf(id, args.fields as string[]));
    }
    if (model === 'mail.message' && method === 'search_read')
      return ((condition('res_id') ?? []) as number[]).flatMap((id) =>
        [2 * id, 2 * id + 1].map((message) => ({
          ...{
            id: message,
            model: 'account.move',
            res_id: id,
            date: writtenAt(id),
            message_type: 'notification',
          },
          ...{ subtype_id: 2, author_id: 3, create_uid: 2, create_date: writtenAt(id) },
        })),
      );
    if (model === 'mail.tracking.value' && method === 'search_read')
      return ((condition('mail_message_id') ?? []) as number[])
        .filter((message) => message % 2 === 1)
        .flatMap((message) =>
          TRACKED.map((field, i) => ({
            ...{ id: message * 4 + i, mail_message_id: message, field_id: fieldIds.get(field) ?? 0 },
            ...{ old_value_integer: 0, new_value_integer: 1, old_value_float: 0, new_value_float: 0 },
            ...{
              old_value_char: field === 'state' ? 'Draft' : false,
              old_value_text: false,
              new_value_text: false,
            },
            ...{
              new_value_char: field === 'state' ? 'Posted' : field,
              old_value_datetime: false,
              new_value_datetime: false,
            },
          })),
        );
    if (model === 'account.move.line' && method === 'search_read')
      return ((condition('move_id') ?? []) as number[]).flatMap((id) =>
        [1, 2].map((line) => ({
          ...{ id: 2 * id + line, move_id: id, product_id: line, quantity: 1, account_id: 9, tax_ids: [1] },
          ...{
            price_unit: (id % 50_000) / 100,
            price_subtotal: (id % 50_000) / 100,
            purchase_line_id: false,
          },
        })),
      );
    if (model === 'res.partner' && method === 'read')
      return ((args.ids ?? []) as number[]).map((id) => ({ id, name: `Partner ${id}` }));
    return undefined;
  };
  return odoo;
}

if (!isMainThread) {
  const odoo = await serve(workerData as BooksWish);
  parentPort?.postMessage(await odoo.listen());
}

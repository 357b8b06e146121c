import type { CallOptions, Domain, Odoo } from '../../odoo/client.ts';
import { dateOfOdoo, odooTime } from '../../odoo/clock.ts';
import type { ReadField } from '../../odoo/models.ts';
import { textOf } from '../../odoo/values.ts';
import type { OdooRecord } from './kind.ts';

/** What is read of a model, and how. */
export interface Reading {
  readonly model: string;
  readonly fields: readonly ReadField[];
  /** Records a call. */
  readonly pageSize: number;
  /** What follows from a record as it is read. */
  readonly derive?: ((values: OdooRecord['values']) => OdooRecord['values']) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Archived records are records: Odoo leaves them out unless it is told not to. */
const ALL = { active_test: false };

/**
 * All records that were written in the second `since` or later, oldest first, in pages: none is left out, however many share a second.
 * One that is written while this reads comes again. `since` is Odoo's own time, `2026-11-22 10:57:00`.
 *
 * Odoo cuts to the second what it keeps to the microsecond, and 17 and 18 find nothing by `=` (lab recordings I01 to I03): so a page
 * that is full is taken up to its last second, which is read again from its beginning, and a second that fills a page is read
 * by id.
 */
export async function* changedSince(
  odoo: Odoo,
  reading: Reading,
  since: string,
): AsyncGenerator<readonly OdooRecord[]> {
  for (let from = since; ; ) {
    const page = await search(odoo, reading, [['write_date', '>=', from]], 'write_date, id');
    if (page.length < reading.pageSize) {
      if (page.length > 0) yield page;
      return;
    }
    const last = writtenAt(page.at(-1) as OdooRecord);
    const before = page.filter((record) => writtenAt(record) < last);
    if (before.length > 0) {
      yield before;
      from = last;
      continue;
    }
    yield* ofSecond(odoo, reading, last);
    from = secondAfter(last);
  }
}

/** All records that were written within the second, by id. */
async function* ofSecond(
  odoo: Odoo,
  reading: Reading,
  second: string,
): AsyncGenerator<readonly OdooRecord[]> {
  for (let id = 0; ; ) {
    const domain: Domain = [
      ['write_date', '>=', second],
      ['write_date', '<', secondAfter(second)],
      ['id', '>', id],
    ];
    const page = await search(odoo, reading, domain, 'id');
    if (page.length > 0) yield page;
    if (page.length < reading.pageSize) return;
    id = page.at(-1)?.id ?? id;
  }
}

/** All records by id, for what compares everything: two fields of them are enough. */
export async function* allById(
  odoo: Odoo,
  reading: Reading,
  after = 0,
): AsyncGenerator<readonly OdooRecord[]> {
  for (let id = after; ; ) {
    const page = await search(odoo, reading, [['id', '>', id]], 'id');
    if (page.length > 0) yield page;
    if (page.length < reading.pageSize) return;
    id = page.at(-1)?.id ?? id;
  }
}

/** The records of the ids that there are. */
export async function recordsOf(
  odoo: Odoo,
  reading: Reading,
  ids: readonly number[],
): Promise<readonly OdooRecord[]> {
  const found: OdooRecord[] = [];
  for (let from = 0; from < ids.length; from += reading.pageSize) {
    const some = ids.slice(from, from + reading.pageSize);
    const names = reading.fields.map(({ name }) => name);
    const rows = await odoo.read(reading.model, some, names, optionsOf(reading));
    found.push(...rows.map((row) => recordOf(reading, row)));
  }
  return found;
}

async function search(odoo: Odoo, reading: Reading, domain: Domain, order: string): Promise<OdooRecord[]> {
  const rows = await odoo.searchRead(
    reading.model,
    { domain, fields: reading.fields.map(({ name }) => name), order, limit: reading.pageSize },
    optionsOf(reading),
  );
  return rows.map((row) => recordOf(reading, row));
}

const optionsOf = ({ signal }: Reading): CallOptions => ({ context: ALL, signal });

/** A row under the names that its fields have in the newest version. */
function recordOf(
  { fields, derive }: Reading,
  row: { readonly id: number; readonly [name: string]: unknown },
): OdooRecord {
  const values = Object.fromEntries(fields.map(({ as, name }) => [as, row[name]]));
  return { id: row.id, values: derive ? derive(values) : values };
}

/** To the second, as Odoo gives it. */
const writtenAt = ({ values }: OdooRecord): string => textOf(values.write_date) ?? '';

const secondAfter = (second: string): string => odooTime(new Date(dateOfOdoo(second).getTime() + 1000));

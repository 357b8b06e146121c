import { sql } from 'kysely';
import type { Postgres } from './database.ts';

type Db = Pick<Postgres, 'db'>;

/** What was last seen of a record of Odoo. */
export interface SeenRecord {
  readonly id: number;
  /** When Odoo says that it was last written, to the second. */
  readonly written: string;
  readonly snapshot: Readonly<Record<string, unknown>>;
  /** Records of another model whose changes may mean that this one is gone. */
  readonly parents?: readonly number[] | undefined;
  /** When this was seen, by our clock. */
  readonly seenAt: Date;
}

const CHUNK = 2_000;

/** What is known of the records of these ids, by id. */
export async function seenRecords(
  { db }: Db,
  source: string,
  model: string,
  ids: readonly number[],
): Promise<Map<number, SeenRecord>> {
  const found = new Map<number, SeenRecord>();
  for (let from = 0; from < ids.length; from += CHUNK) {
    const { rows } = await sql<{
      id: string;
      written: string;
      snapshot: Record<string, unknown>;
      seen_at: Date;
    }>`
      SELECT id, written, snapshot, seen_at FROM odoo_records
      WHERE source = ${source} AND model = ${model} AND id = ANY (${ids.slice(from, from + CHUNK)}::bigint[])`.execute(
      db,
    );
    for (const { id, written, snapshot, seen_at } of rows)
      found.set(Number(id), { id: Number(id), written, snapshot, seenAt: seen_at });
  }
  return found;
}

/** Keeps what was seen of records; the last of several of one id holds. */
export async function keepRecords(
  { db }: Db,
  source: string,
  model: string,
  records: readonly SeenRecord[],
): Promise<void> {
  const last = [...new Map(records.map((record) => [record.id, record])).values()].sort(
    (a, b) => a.id - b.id,
  );
  for (let from = 0; from < last.length; from += CHUNK) {
    const rows = last.slice(from, from + CHUNK).map(({ id, written, snapshot, parents, seenAt }) => ({
      id,
      written,
      snapshot,
      parents: parents ?? null,
      seen_at: seenAt,
    }));
    await sql`
      INSERT INTO odoo_records AS kept (source, model, id, written, seen_at, parents, snapshot)
      SELECT ${source}, ${model}, given.id, given.written, given.seen_at, given.parents, given.snapshot
      FROM json_to_recordset(${JSON.stringify(rows)}::json)
        AS given (id bigint, written text, seen_at timestamptz, parents bigint[], snapshot jsonb)
      ON CONFLICT (source, model, id) DO UPDATE
        SET written = excluded.written, seen_at = excluded.seen_at, snapshot = excluded.snapshot,
          parents = coalesce(excluded.parents, kept.parents)`.execute(db);
  }
}

/** Forgets records that are gone. */
export async function forgetRecords(
  { db }: Db,
  source: string,
  model: string,
  ids: readonly number[],
): Promise<void> {
  if (ids.length === 0) return;
  await sql`DELETE FROM odoo_records
    WHERE source = ${source} AND model = ${model} AND id = ANY (${[...ids]}::bigint[])`.execute(db);
}

/** How many records of a model are known. */
export async function countRecords({ db }: Db, source: string, model: string): Promise<number> {
  const { rows } = await sql<{ count: string }>`
    SELECT count(*) AS count FROM odoo_records WHERE source = ${source} AND model = ${model}`.execute(db);
  return Number(rows[0]?.count ?? 0);
}

/** The known records of a model with an id from `from` to `to`, both included: their ids with when they were written. */
export async function knownIds(
  { db }: Db,
  source: string,
  model: string,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<Map<number, string>> {
  const { rows } = await sql<{ id: string; written: string }>`
    SELECT id, written FROM odoo_records
    WHERE source = ${source} AND model = ${model} AND id BETWEEN ${from} AND ${to} ORDER BY id`.execute(db);
  return new Map(rows.map(({ id, written }) => [Number(id), written]));
}

/** The ids of the known records of a model that one of these is a parent of. */
export async function childrenOf(
  { db }: Db,
  source: string,
  model: string,
  parents: readonly number[],
): Promise<{ id: number; parents: number[] }[]> {
  if (parents.length === 0) return [];
  const { rows } = await sql<{ id: string; parents: string[] }>`
    SELECT id, parents FROM odoo_records
    WHERE parents && ${[...parents]}::bigint[] AND parents IS NOT NULL AND source = ${source} AND model = ${model}`.execute(
    db,
  );
  return rows.map(({ id, parents: own }) => ({ id: Number(id), parents: own.map(Number) }));
}

/** The parents of known records of a model, each once. */
export async function parentsOf(
  { db }: Db,
  source: string,
  model: string,
  ids: readonly number[],
): Promise<number[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql<{ parent: string }>`
    SELECT DISTINCT parent FROM odoo_records, unnest(parents) AS parent
    WHERE source = ${source} AND model = ${model} AND id = ANY (${[...ids]}::bigint[])`.execute(db);
  return rows.map(({ parent }) => Number(parent));
}

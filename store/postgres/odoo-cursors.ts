import type { Postgres } from './database.ts';

type Db = Pick<Postgres, 'db'>;

/** How far a stream of an Odoo was read; undefined when it never was. */
export async function odooCursors({ db }: Db, source: string): Promise<Map<string, unknown>> {
  const rows = await db
    .selectFrom('odoo_cursors')
    .select(['stream', 'position'])
    .where('source', '=', source)
    .execute();
  return new Map(rows.map(({ stream, position }) => [stream, position]));
}

/** Keeps how far a stream was read. */
export async function keepOdooCursor(
  { db }: Db,
  source: string,
  stream: string,
  position: unknown,
): Promise<void> {
  const value = { position: JSON.stringify(position), updated_at: new Date() };
  await db
    .insertInto('odoo_cursors')
    .values({ source, stream, ...value })
    .onConflict((conflict) => conflict.columns(['source', 'stream']).doUpdateSet(value))
    .execute();
}

import type { Kysely } from 'kysely';
import type { Database } from './schema.ts';

/** The position of a cursor; undefined when it never moved. */
export async function readCursor(db: Kysely<Database>, name: string): Promise<bigint | undefined> {
  const row = await db.selectFrom('cursors').select('position').where('name', '=', name).executeTakeFirst();
  return row && BigInt(row.position);
}

/** Moves a cursor, in the transaction of the work that it stands for. */
export async function moveCursor(
  db: Kysely<Database>,
  name: string,
  position: bigint,
  at: Date,
): Promise<void> {
  await db
    .insertInto('cursors')
    .values({ name, position, updated_at: at })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ position, updated_at: at }))
    .execute();
}

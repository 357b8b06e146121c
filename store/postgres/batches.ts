import { type Kysely, sql, type Transaction } from 'kysely';
import type { Database } from './schema.ts';

/** Waits for its turn to take a batch, until the commit. For transactions that lock other rows too: the turn comes first. */
export async function lockBatches(trx: Transaction<Database>): Promise<void> {
  await sql`SELECT lock_batches()`.execute(trx);
}

/** As `lockBatches`, and waits until nobody adds to an open batch either. */
export async function lockFilling(trx: Transaction<Database>): Promise<void> {
  await lockBatches(trx);
  await sql`SELECT FROM batches WHERE open ORDER BY batch FOR UPDATE`.execute(trx);
}

/** Events, and characters of their JSON. */
export interface Size {
  readonly events: number;
  readonly characters: number;
}

/** An open batch takes no more than this, but for the events of its first transaction. */
export const MAX_BATCH: Size = { events: 5_000, characters: 16 << 20 };

/** Closes the batch, once the transactions that add to it now have ended: from here on it holds the same events for ever. */
export async function closeBatch(db: Kysely<Database>, batch: bigint): Promise<void> {
  await db
    .updateTable('batches')
    .set({ open: false })
    .where('batch', '=', `${batch}`)
    .where('open', '=', true)
    .execute();
}

/**
 * The number of a new, pending batch. To be called last before the commit: from here on batches of other transactions
 * wait, so that numbers become visible in their order and a reader's cursor never passes one that is still to come.
 */
export async function takeBatch(
  trx: Transaction<Database>,
  batch: { kind: 'inbox' | 'import' | 'replay'; source: string; rows: number; critical?: boolean },
): Promise<bigint> {
  await lockBatches(trx);
  const row = await trx.insertInto('batches').values(batch).returning('batch').executeTakeFirstOrThrow();
  return BigInt(row.batch);
}

/** How many events were accepted in the batches up to this one. */
export async function rowsOfBatches(db: Kysely<Database>, upTo: bigint): Promise<number> {
  const { rows } = await db
    .selectFrom('batches')
    .select(({ fn }) => fn.sum<string | number | null>('rows').as('rows'))
    .where('batch', '<=', `${upTo}`)
    .executeTakeFirstOrThrow();
  return Number(rows ?? 0);
}

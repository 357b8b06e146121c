import { sql, type Transaction } from 'kysely';
import type { Database } from './schema.ts';

/** "BATC" as an integer. */
const ADVISORY_LOCK = 0x42415443;

/** Waits for its turn to take a batch, until the commit. For transactions that lock other rows too: the turn comes first. */
export async function lockBatches(trx: Transaction<Database>): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(${ADVISORY_LOCK})`.execute(trx);
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

import { sql } from 'kysely';
import type { FinanceEvent } from '../../model/event.ts';
import { formatInstant, nanosOf } from '../../model/time.ts';
import type { AcceptedEvent } from './accepted.ts';
import type { Postgres } from './database.ts';
import { problemsText } from './dead-letter-text.ts';

type Db = Pick<Postgres, 'db'>;

/** A batch that ClickHouse has not confirmed. */
export interface PendingBatch {
  readonly batch: bigint;
  /** Some of it may be in ClickHouse already: it goes in parts, and only what is missing. */
  readonly apart: boolean;
}

/** An accepted event that ClickHouse refuses, and why, without a word of the event. */
export interface DeadEvent {
  readonly event: FinanceEvent;
  readonly reason: string;
}

/** The batches that hold what came in one by one: what imports bring has its own way. */
const KINDS = ['inbox', 'replay'] as const;

export async function newestBatch({ db }: Db): Promise<bigint> {
  const row = await db
    .selectFrom('batches')
    .select((eb) => eb.fn.max('batch').as('batch'))
    .where('kind', 'in', KINDS)
    .executeTakeFirst();
  return BigInt(row?.batch ?? 0);
}

export async function pendingBatches({ db }: Db, limit: number): Promise<PendingBatch[]> {
  const rows = await db
    .selectFrom('batches')
    .select(['batch', 'kind', 'apart'])
    .where('state', '=', 'pending')
    .where('kind', 'in', KINDS)
    .orderBy('critical', 'desc')
    .orderBy('batch')
    .limit(limit)
    .execute();
  return rows.map(({ batch, kind, apart }) => ({ batch: BigInt(batch), apart: apart || kind === 'replay' }));
}

export async function firstPending({ db }: Db): Promise<bigint | undefined> {
  const row = await db
    .selectFrom('batches')
    .select('batch')
    .where('state', '=', 'pending')
    .where('kind', 'in', KINDS)
    .orderBy('batch')
    .limit(1)
    .executeTakeFirst();
  return row && BigInt(row.batch);
}

export async function eventsOfBatch({ db }: Db, batch: bigint): Promise<FinanceEvent[]> {
  const rows = await db
    .selectFrom('inbox')
    .select(['body', 'received_at'])
    .where((eb) => eb.or([eb('batch', '=', `${batch}`), eb('replay_batch', '=', `${batch}`)]))
    .where('state', '<>', 'dead')
    .where('body', 'is not', null)
    .orderBy('source')
    .orderBy('id')
    .execute();
  return rows.map((row) => ({
    ...(row.body as AcceptedEvent['event']),
    batch: `${batch}`,
    receivedAt: formatInstant(nanosOf(row.received_at)),
  }));
}

export async function setApart({ db }: Db, batch: bigint): Promise<void> {
  await db.updateTable('batches').set({ apart: true }).where('batch', '=', `${batch}`).execute();
}

/** In one transaction: what is set aside is nowhere missing, and never sent again by itself. */
export async function confirmBatch(
  { db }: Db,
  { batch, dead, at }: { batch: bigint; dead: readonly DeadEvent[]; at: Date },
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('batches')
      .set({ state: 'stored', stored_at: at })
      .where('batch', '=', `${batch}`)
      .where('state', '=', 'pending')
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return;
    for (const { event, reason } of dead) {
      await trx
        .updateTable('inbox')
        .set({ state: 'dead', reason })
        .where('source', '=', event.source)
        .where('id', '=', event.id)
        .execute();
      await trx
        .insertInto('dead_letters')
        .values({
          sender: event.source,
          source: event.source,
          company: event.company,
          received_at: event.receivedAt,
          reason_code: 'poison',
          problems: problemsText([
            { where: '', what: `accepted, but ClickHouse does not take it: ${reason}` },
          ]),
          event_id: event.id,
          event_type: event.type,
          body: sql<string>`(SELECT body::text FROM inbox WHERE source = ${event.source} AND id = ${event.id})`,
        })
        .execute();
    }
  });
}

/** The highest batch up to which every batch is stored, imports included. */
export async function storedUpTo({ db }: Db): Promise<bigint> {
  const { rows } = await sql<{ batch: string }>`SELECT coalesce(
    (SELECT min(batch) - 1 FROM batches WHERE state = 'pending'), (SELECT max(batch) FROM batches), 0) AS batch`.execute(
    db,
  );
  return BigInt(rows[0]?.batch ?? 0);
}

export async function purgePayloads({ db }: Db, before: Date, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    UPDATE inbox SET body = NULL WHERE (source, id) IN (
      SELECT old.source, old.id FROM inbox AS old
      JOIN batches ON batches.batch = old.batch
      LEFT JOIN batches AS again ON again.batch = old.replay_batch
      WHERE old.body IS NOT NULL AND old.received_at < ${before} AND batches.stored_at < ${before}
        AND (again.batch IS NULL OR again.stored_at < ${before})
        AND (old.state <> 'dead' OR NOT EXISTS (
          SELECT FROM dead_letters
          WHERE state = 'open' AND dead_letters.source = old.source AND event_id = old.id))
      LIMIT ${limit})`.execute(db);
  return Number(numAffectedRows ?? 0n);
}

import { randomUUID } from 'node:crypto';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { AcceptedEvent, AcceptResult } from './accepted.ts';
import { takeBatch } from './batches.ts';
import type { Postgres } from './database.ts';
import { settleDeadLetters } from './dead-letters.ts';
import { isOfTheData } from './failures.ts';
import type { Database } from './schema.ts';
import { type Declaration, declareComplete } from './sources.ts';

/** What a run read and what became of it. */
export interface ImportCounts {
  readonly rowsRead: number;
  readonly stored: number;
  readonly known: number;
  readonly bad: number;
}

/** Records the start of an import; returns its id. */
export async function startImport(
  { db }: Postgres,
  run: { source: string; fileName: string; mapHash: string; startedAt: Date },
): Promise<string> {
  const id = randomUUID();
  await db
    .insertInto('import_runs')
    .values({
      id,
      source: run.source,
      file_name: run.fileName,
      file_sha256: '',
      map_sha256: run.mapHash,
      started_at: run.startedAt,
    })
    .execute();
  return id;
}

/** Records how an import stands; with `ended`, how it ended. */
export async function noteImport(
  { db }: Postgres,
  id: string,
  counts: ImportCounts,
  ended?: { state: 'done' | 'failed'; at: Date; fileHash?: string | undefined },
): Promise<void> {
  await db
    .updateTable('import_runs')
    .set({
      rows_read: counts.rowsRead,
      rows_stored: counts.stored,
      rows_known: counts.known,
      rows_bad: counts.bad,
      ...(ended && { state: ended.state, ended_at: ended.at }),
      ...(ended?.fileHash && { file_sha256: ended.fileHash }),
    })
    .where('id', '=', id)
    .execute();
}

/** The number under which a block of an import is stored; it is pending until it is confirmed. */
export const takeImportBatch = ({ db }: Postgres, block: { source: string; rows: number }): Promise<bigint> =>
  db.transaction().execute((trx) => takeBatch(trx, { kind: 'import', ...block }));

/** Records that ClickHouse holds the block; false when somebody else has closed it. */
export async function confirmImportBatch({ db }: Postgres, batch: bigint, at: Date): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('batches')
    .set({ state: 'stored', stored_at: at })
    .where('batch', '=', `${batch}`)
    .where('state', '=', 'pending')
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Blocks of imports taken before the instant and never confirmed: their import was killed. Of one source, when given. */
export async function orphanedImportBatches(
  { db }: Postgres,
  o: { before: Date; source?: string | undefined },
): Promise<bigint[]> {
  let query = db
    .selectFrom('batches')
    .select('batch')
    .where('state', '=', 'pending')
    .where('kind', '=', 'import')
    .where('accepted_at', '<', o.before);
  if (o.source !== undefined) query = query.where('source', '=', o.source);
  return (await query.orderBy('batch').execute()).map((row) => BigInt(row.batch));
}

const keyOf = ({ source, id }: { readonly source: string; readonly id: string }): string =>
  `${source}\n${id}`;

/** The hashes of those of the events that the inbox has, by source and id. */
async function hashesOf(db: Kysely<Database>, items: readonly AcceptedEvent[]): Promise<Map<string, string>> {
  const { rows } = await sql<{ source: string; id: string; body_hash: string }>`
    SELECT source, id, body_hash FROM inbox WHERE (source, id) IN (
      SELECT * FROM unnest(${items.map(({ event }) => event.source)}::text[],
        ${items.map(({ event }) => event.id)}::text[]))`.execute(db);
  return new Map(rows.map((row) => [keyOf(row), row.body_hash]));
}

/** The first of each id that the inbox does not have, and what becomes of every event once these are there. */
function sort(
  items: readonly AcceptedEvent[],
  known: ReadonlyMap<string, string>,
): { fresh: AcceptedEvent[]; results: AcceptResult[] } {
  const hashes = new Map(known);
  const fresh: AcceptedEvent[] = [];
  const results = items.map((item): AcceptResult => {
    const hash = hashes.get(keyOf(item.event));
    if (hash !== undefined) return hash === item.bodyHash ? 'known' : 'conflict';
    hashes.set(keyOf(item.event), item.bodyHash);
    fresh.push(item);
    return 'accepted';
  });
  return { fresh, results };
}

/** What would become of the events of a file, one result each. */
export const knownImported = async (
  { db }: Postgres,
  items: readonly AcceptedEvent[],
): Promise<AcceptResult[]> => sort(items, await hashesOf(db, items)).results;

/**
 * Takes events of a file, whose senders gave them their ids, under batches of an import: their keys, hashes and bodies go
 * to the inbox, so that the same event is known whichever way it comes next, and nothing is lost when this process dies
 * before ClickHouse has them. Returns one result an event, and the batches, which are pending until they are confirmed.
 */
export async function acceptImported(
  postgres: Postgres,
  given: { readonly source: string; readonly items: readonly AcceptedEvent[]; readonly at: Date },
): Promise<{ results: AcceptResult[]; batches: bigint[] }> {
  const { items } = given;
  try {
    return await postgres.db.transaction().execute((trx) => acceptAll(trx, given));
  } catch (error) {
    if (!isOfTheData(error)) throw error;
    if (items.length === 1) return { results: ['unstorable'], batches: [] };
    const half = items.length >> 1;
    const first = await acceptImported(postgres, { ...given, items: items.slice(0, half) });
    const second = await acceptImported(postgres, { ...given, items: items.slice(half) });
    return {
      results: [...first.results, ...second.results],
      batches: [...first.batches, ...second.batches],
    };
  }
}

async function acceptAll(
  trx: Transaction<Database>,
  { source, items, at }: { source: string; items: readonly AcceptedEvent[]; at: Date },
): Promise<{ results: AcceptResult[]; batches: bigint[] }> {
  let sorted = sort(items, await hashesOf(trx, items));
  let batch: bigint | undefined;
  if (sorted.fresh.length > 0) {
    batch = await takeBatch(trx, { kind: 'import', source, rows: sorted.fresh.length });
    // Under the lock of the batches nobody else adds to the inbox: what was accepted since we looked is seen now.
    sorted = sort(items, await hashesOf(trx, items));
    const { fresh } = sorted;
    if (fresh.length === 0) {
      await trx.deleteFrom('batches').where('batch', '=', `${batch}`).execute();
      batch = undefined;
    }
    await sql`
      INSERT INTO inbox (source, id, body_hash, body, company, type, batch, received_at)
      SELECT source, id, body_hash, body::jsonb, company, type, ${batch}::bigint, ${at}::timestamptz
      FROM unnest(${fresh.map(({ event }) => event.source)}::text[], ${fresh.map(({ event }) => event.id)}::text[],
        ${fresh.map(({ bodyHash }) => bodyHash)}::text[], ${fresh.map(({ event }) => JSON.stringify(event))}::text[],
        ${fresh.map(({ event }) => event.company)}::text[], ${fresh.map(({ event }) => event.type)}::text[])
        AS given (source, id, body_hash, body, company, type)`.execute(trx);
    await settleDeadLetters(
      trx,
      fresh.map(({ event }) => event),
      at,
    );
  }
  await declareComplete(trx, declarationsOf(items, sorted.results), at);
  return { results: sorted.results, batches: batch === undefined ? [] : [batch] };
}

/** The last that each stream declares, of heartbeats that stand. */
function declarationsOf(
  items: readonly AcceptedEvent[],
  results: readonly AcceptResult[],
): Iterable<Declaration> {
  const latest = new Map<string, Declaration>();
  for (const [i, { event, declares }] of items.entries()) {
    if (!declares || results[i] === 'conflict') continue;
    const { source, company } = event;
    const key = `${source}\n${company}\n${declares.stream}`;
    const before = latest.get(key);
    if (!before || before.completeUpTo < declares.completeUpTo)
      latest.set(key, { source, company, ...declares });
  }
  return latest.values();
}

import { randomUUID } from 'node:crypto';
import { takeBatch } from './batches.ts';
import type { Postgres } from './database.ts';

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

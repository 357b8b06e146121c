import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import { type AuditActor, type AuditEntry, type AuditRow, auditRow, GENESIS } from '../../model/audit.ts';
import type { AuditTable, Database } from './schema.ts';

/** What is to be recorded; the number, the roles of the actor and the clock of the database are added. */
export interface Recorded {
  readonly at: Date;
  /** A principal's id; `closewatch` for the program itself; `model:` and its name; else an account of the machine, from the command line. */
  readonly actor: string;
  readonly entity: string;
  readonly entityId: string;
  readonly company: string;
  readonly change: string;
  readonly state?: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The program itself, as an actor. */
export const PROGRAM = 'closewatch';
const ROWS_A_PAGE = 5_000;

/**
 * Adds rows to the audit chain, in the transaction that does what they tell: both stand, or neither. One at a time: the chain is
 * locked until the transaction ends.
 */
export async function appendAudit(trx: Transaction<Database>, entries: readonly Recorded[]): Promise<void> {
  if (entries.length === 0) return;
  await sql`SELECT pg_advisory_xact_lock(hashtext('closewatch.audit'))`.execute(trx);
  const [last] = await trx
    .selectFrom('audit')
    .select(['seq', 'hash'])
    .orderBy('seq', 'desc')
    .limit(1)
    .execute();
  const { rows } = await sql<{ now: Date }>`SELECT clock_timestamp() AS now`.execute(trx);
  const recordedAt = (rows[0]?.now ?? new Date()).toISOString();
  const actors = await actorsOf(trx, [...new Set(entries.map(({ actor }) => actor))]);
  let [seq, hash] = [Number(last?.seq ?? 0), last?.hash ?? GENESIS];
  const chained = entries.map(({ actor, at, state, data, ...what }) => {
    seq += 1;
    const entry: AuditEntry = {
      ...what,
      seq,
      at: at.toISOString(),
      recordedAt,
      actor: actors.get(actor) as AuditActor,
      ...(state === undefined ? {} : { state }),
      // As JSON has it: instants as text, nothing that is undefined.
      data: JSON.parse(JSON.stringify(data)),
    };
    const row = auditRow(entry, hash);
    hash = row.hash;
    return {
      seq: row.seq,
      body: row.body,
      body_hash: row.bodyHash,
      hash: row.hash,
      at,
      actor,
      entity: entry.entity,
      entity_id: entry.entityId,
      company: entry.company,
    };
  });
  await trx.insertInto('audit').values(chained).execute();
}

/** The actors as they are now. */
async function actorsOf(db: Kysely<Database>, ids: readonly string[]): Promise<Map<string, AuditActor>> {
  const known = await db
    .selectFrom('principals')
    .select(['id', 'kind', 'roles'])
    .where('id', 'in', ids)
    .execute();
  const actors = new Map<string, AuditActor>(known.map((one) => [one.id, one]));
  for (const id of ids) if (!actors.has(id)) actors.set(id, { id, kind: kindOf(id), roles: [] });
  return actors;
}

/** Of an actor that is no principal: the program, a model by its name, or an account of the machine. */
const kindOf = (id: string): AuditActor['kind'] =>
  id === PROGRAM ? 'system' : id.startsWith('model:') ? 'model' : 'operator';

const rowOf = (row: Selectable<AuditTable>): AuditRow => ({
  seq: Number(row.seq),
  body: row.body,
  bodyHash: row.body_hash,
  hash: row.hash,
});

/** A row, and what its columns say by which it is searched. */
export interface StoredAuditRow extends AuditRow {
  readonly entity: string;
  readonly entityId: string;
  readonly company: string;
  readonly actor: string;
  readonly at: Date;
}

/** Every row after `after`, by its number. */
export async function* auditRows(db: Kysely<Database>, after = 0): AsyncGenerator<StoredAuditRow> {
  for (let last = after; ; ) {
    const page = await db
      .selectFrom('audit')
      .selectAll()
      .where('seq', '>', `${last}`)
      .orderBy('seq')
      .limit(ROWS_A_PAGE)
      .execute();
    for (const row of page)
      yield {
        ...rowOf(row),
        entity: row.entity,
        entityId: row.entity_id,
        company: row.company,
        actor: row.actor,
        at: row.at,
      };
    if (page.length < ROWS_A_PAGE) return;
    last = Number(page.at(-1)?.seq);
  }
}

/** The last row; undefined while there is none. */
export async function auditHead(db: Kysely<Database>): Promise<AuditRow | undefined> {
  const row = await db.selectFrom('audit').selectAll().orderBy('seq', 'desc').limit(1).executeTakeFirst();
  return row && rowOf(row);
}

/** When the oldest row of the chain after the anchored one was recorded; undefined when there is none. */
export async function unanchoredSince(db: Kysely<Database>, anchored: number): Promise<Date | undefined> {
  const row = await db
    .selectFrom('audit')
    .select('at')
    .where('seq', '>', `${anchored}`)
    .orderBy('seq')
    .limit(1)
    .executeTakeFirst();
  return row?.at;
}

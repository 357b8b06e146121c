import { createHash } from 'node:crypto';
import { sql, type Transaction } from 'kysely';
import type { ClickHouse } from '../clickhouse/client.ts';
import { appendAudit, type Recorded } from './audit.ts';
import type { Postgres } from './database.ts';
import { recordset } from './recordset.ts';
import type { Database } from './schema.ts';

/** One change of something that people look back on: what it is, what happened, and what holds since. */
export interface Change {
  readonly entity:
    | 'obligation'
    | 'exception'
    | 'incident'
    | 'assessment'
    | 'message'
    | 'proposal'
    | 'silence'
    | 'setting'
    | 'dead-letter'
    | 'inbox'
    | 'readiness'
    | 'retention'
    | 'watermark';
  readonly entityId: string;
  readonly company: string;
  /** What happened, in the past tense: `opened`, `closed`, `acknowledged` … */
  readonly change: string;
  readonly at: Date;
  readonly rule?: string | null;
  readonly state?: string | null;
  readonly severity?: string | null;
  readonly amount?: string | null;
  readonly currency?: string | null;
  readonly actor?: string | null;
  readonly data?: object;
}

const ROWS_A_STATEMENT = 2_000;
const ROWS_A_BLOCK = 5_000;
/** The setting that holds the numbers of a block on its way: whatever breaks off, the same block is sent again. */
const ON_ITS_WAY = 'change-log.block';

const COLUMNS = [
  'at',
  'entity',
  'entity_id',
  'company',
  'change',
  'rule',
  'state',
  'severity',
  'amount',
  'currency',
  'actor',
  'data',
] as const;

/** Appends changes in the transaction that makes them. What somebody decided goes into the audit chain as well. */
export async function appendChanges(trx: Transaction<Database>, changes: readonly Change[]): Promise<void> {
  for (let from = 0; from < changes.length; from += ROWS_A_STATEMENT) {
    const rows = changes.slice(from, from + ROWS_A_STATEMENT).map((change) => ({
      at: change.at,
      entity: change.entity,
      entity_id: change.entityId,
      company: change.company,
      change: change.change,
      rule: change.rule ?? null,
      state: change.state ?? null,
      severity: change.severity ?? null,
      amount: change.amount ?? null,
      currency: change.currency ?? null,
      actor: change.actor ?? null,
      data: change.data ?? {},
    }));
    await trx
      .insertInto('change_log')
      .columns(COLUMNS)
      .expression(recordset('change_log', COLUMNS, rows))
      .execute();
  }
  await appendAudit(trx, changes.flatMap(decisionOf));
}

/** The change of a setting by somebody: a grant, a token, a credential. `data` never holds a secret. */
export const settingChange = (
  entityId: string,
  change: string,
  { by, at, data = {} }: { by: string; at: Date; data?: object },
): Change => ({ entity: 'setting', entityId, company: '', change, at, actor: by, data });

/** What the audit chain says of a change; nothing of one that nobody decided. */
function decisionOf({ actor, at, entity, entityId, company, change, state, ...more }: Change): Recorded[] {
  if (!actor) return [];
  const { rule, severity, amount, currency, data } = more;
  const facts = Object.entries({ rule, severity, amount, currency }).filter(([, value]) => value != null);
  return [
    {
      actor,
      at,
      entity,
      entityId,
      company,
      change,
      state: state ?? undefined,
      data: { ...Object.fromEntries(facts), ...data },
    },
  ];
}

/**
 * Copies the changes that ClickHouse does not have yet to `incident_events`, in blocks of 5,000; returns how many. A block
 * is settled in PostgreSQL before it goes and its token follows from its numbers: broken off at any point it is stored
 * once. Several may do so at a time, in whatever process: they send the same block, and only one goes on to the next.
 */
export async function shipChanges(
  postgres: Pick<Postgres, 'db'>,
  clickhouse: Pick<ClickHouse, 'insertRows'>,
): Promise<number> {
  let shipped = 0;
  for (;;) {
    const numbers = await settleBlock(postgres);
    if (numbers.length === 0) return shipped;
    await sendBlock(postgres, clickhouse, numbers);
    if (await markSent(postgres, numbers)) shipped += numbers.length;
  }
}

/**
 * Notes that the block has arrived; false when somebody else who sent it has done so. Then another block may be on its way,
 * which is not to be forgotten.
 */
async function markSent({ db }: Pick<Postgres, 'db'>, numbers: readonly string[]): Promise<boolean> {
  return await db.transaction().execute(async (trx) => {
    const ended = await trx
      .deleteFrom('settings')
      .where('name', '=', ON_ITS_WAY)
      .where(sql<boolean>`value = ${JSON.stringify(numbers)}::jsonb`)
      .executeTakeFirst();
    if (ended.numDeletedRows === 0n) return false;
    await sql`UPDATE change_log SET shipped = true WHERE seq = ANY(${numbers}::bigint[])`.execute(trx);
    return true;
  });
}

/** The numbers of the block on its way, or of the next one, now settled; none when everything is there. */
async function settleBlock({ db }: Pick<Postgres, 'db'>): Promise<string[]> {
  return await db.transaction().execute(async (trx) => {
    await sql`SELECT pg_advisory_xact_lock(hashtext('closewatch.change-log'))`.execute(trx);
    const onItsWay = await trx
      .selectFrom('settings')
      .select('value')
      .where('name', '=', ON_ITS_WAY)
      .forUpdate()
      .executeTakeFirst();
    if (onItsWay) return onItsWay.value as string[];
    const next = await trx
      .selectFrom('change_log')
      .select('seq')
      .where('shipped', '=', false)
      .orderBy('seq')
      .limit(ROWS_A_BLOCK)
      .execute();
    const numbers = next.map(({ seq }) => seq);
    if (numbers.length > 0)
      await trx
        .insertInto('settings')
        .values({ name: ON_ITS_WAY, value: JSON.stringify(numbers) })
        .execute();
    return numbers;
  });
}

async function sendBlock(
  { db }: Pick<Postgres, 'db'>,
  clickhouse: Pick<ClickHouse, 'insertRows'>,
  numbers: readonly string[],
): Promise<void> {
  const changes = await db
    .selectFrom('change_log')
    .selectAll()
    .where(sql<boolean>`seq = ANY(${numbers}::bigint[])`)
    .orderBy('seq')
    .execute();
  const rows = changes.map((change) => ({
    Seq: change.seq,
    At: change.at.toISOString(),
    Entity: change.entity,
    EntityId: change.entity_id,
    Company: change.company,
    Change: change.change,
    Rule: change.rule ?? '',
    State: change.state ?? '',
    Severity: change.severity ?? '',
    AmountText: change.amount ?? '',
    Currency: change.currency ?? '',
    Actor: change.actor ?? '',
    Data: JSON.stringify(change.data),
  }));
  const token = createHash('sha256').update(numbers.join()).digest('hex');
  await clickhouse.insertRows('incident_events', rows, { token: `changes:${token}` });
}

import { sql } from 'kysely';
import type { Postgres } from './database.ts';

type Db = Pick<Postgres, 'db'>;

/** What a webhook told of a record that waits to be read back. */
export interface WaitingHint {
  readonly model: string;
  readonly id: number;
  /** When it was first told, and last, since the record was last read back. */
  readonly firstAt: Date;
  readonly lastAt: Date;
}

/** Takes what webhooks told: one row a record, however many requests. Those of sources that are gone are dropped. */
export async function keepHints(
  { db }: Db,
  hints: readonly {
    readonly source: string;
    readonly model: string;
    readonly id: number;
    readonly at: Date;
  }[],
): Promise<void> {
  const byRecord = Map.groupBy(hints, ({ source, model, id }) => `${source}\n${model}\n${id}`);
  const rows = [...byRecord.values()].map((same) => {
    const times = same.map(({ at }) => at.getTime());
    const [{ source, model, id }] = same as [(typeof hints)[number]];
    return {
      ...{ source, model, id, requests: same.length },
      first_at: new Date(Math.min(...times)),
      last_at: new Date(Math.max(...times)),
    };
  });
  await sql`
    WITH counted AS (
      UPDATE odoo_sources AS source SET hook_requests = source.hook_requests + sums.requests,
        last_hook_at = greatest(source.last_hook_at, sums.last_at)
      FROM (
        SELECT source, sum(requests) AS requests, max(last_at) AS last_at
        FROM json_to_recordset(${JSON.stringify(rows)}::json) AS given (source text, requests integer, last_at timestamptz)
        GROUP BY source) AS sums
      WHERE source.source = sums.source
    )
    INSERT INTO odoo_hints AS kept (source, model, id, first_at, last_at, requests, due_at)
    SELECT given.source, given.model, given.id, given.first_at, given.last_at, given.requests, given.last_at
    FROM json_to_recordset(${JSON.stringify(rows)}::json)
      AS given (source text, model text, id bigint, first_at timestamptz, last_at timestamptz, requests integer)
    JOIN odoo_sources AS known ON known.source = given.source
    ORDER BY given.source, given.model, given.id
    ON CONFLICT (source, model, id) DO UPDATE SET
      first_at = CASE WHEN kept.state = 'waiting' THEN least(kept.first_at, excluded.first_at) ELSE excluded.first_at END,
      last_at = greatest(kept.last_at, excluded.last_at),
      requests = kept.requests + excluded.requests, state = 'waiting', due_at = excluded.due_at`.execute(db);
}

/** Those of a source that are due, oldest first. */
export async function dueHints({ db }: Db, source: string, now: Date, limit: number): Promise<WaitingHint[]> {
  const rows = await db
    .selectFrom('odoo_hints')
    .select(['model', 'id', 'first_at', 'last_at'])
    .where('source', '=', source)
    .where('state', '=', 'waiting')
    .where('due_at', '<=', now)
    .orderBy('due_at')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    model: row.model,
    id: Number(row.id),
    firstAt: row.first_at,
    lastAt: row.last_at,
  }));
}

/** What became of hints; one that was told again meanwhile (later than `lastAt`) waits on. */
export async function settleHints(
  { db }: Db,
  source: string,
  hints: readonly (Pick<WaitingHint, 'model' | 'id' | 'lastAt'> & {
    readonly state: 'waiting' | 'seen' | 'phantom';
    readonly dueAt?: Date;
  })[],
): Promise<void> {
  const rows = hints.map(({ model, id, lastAt, state, dueAt }) => ({
    model,
    id,
    last_at: lastAt,
    state,
    due_at: dueAt ?? lastAt,
  }));
  await sql`
    UPDATE odoo_hints AS kept SET state = given.state, due_at = given.due_at
    FROM json_to_recordset(${JSON.stringify(rows)}::json)
      AS given (model text, id bigint, last_at timestamptz, state text, due_at timestamptz)
    WHERE kept.source = ${source} AND kept.model = given.model AND kept.id = given.id
      AND date_trunc('milliseconds', kept.last_at) = given.last_at`.execute(db);
}

/** When the oldest of those that wait was told; undefined when none waits. */
export async function oldestHint({ db }: Db, source: string): Promise<Date | undefined> {
  const row = await db
    .selectFrom('odoo_hints')
    .select(({ fn }) => fn.min('first_at').as('at'))
    .where('source', '=', source)
    .where('state', '=', 'waiting')
    .executeTakeFirst();
  return row?.at ?? undefined;
}

/** When records were last told of, by id: those that never were are left out. */
export async function hintedAt(
  { db }: Db,
  source: string,
  model: string,
  ids: readonly number[],
): Promise<Map<number, Date>> {
  const { rows } = await sql<{ id: string; last_at: Date }>`
    SELECT id, last_at FROM odoo_hints
    WHERE source = ${source} AND model = ${model} AND id = ANY (${[...ids]}::bigint[])`.execute(db);
  return new Map(rows.map(({ id, last_at }) => [Number(id), last_at]));
}

/** Drops those that were dealt with before the instant. */
export async function dropOldHints({ db }: Db, source: string, before: Date): Promise<void> {
  await db
    .deleteFrom('odoo_hints')
    .where('source', '=', source)
    .where('state', '!=', 'waiting')
    .where('last_at', '<', before)
    .execute();
}

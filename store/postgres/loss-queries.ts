import { sql } from 'kysely';
import type { Postgres } from './database.ts';
import { ofSource, readable, type StreamFilter } from './streams.ts';

export interface LossFilter extends Omit<StreamFilter, 'domain'> {
  readonly reasons?: readonly string[] | undefined;
  /** Losses of the hour of this instant and since. */
  readonly since: Date;
}

/** What of a stream was lost for one reason. */
export interface Loss {
  readonly source: string;
  /** '' when it is not known. */
  readonly company: string;
  readonly stream: string;
  readonly reason: string;
  readonly records: number;
  readonly lastAt: Date;
  readonly detail: string | null;
}

const HOUR_MS = 3_600_000;

/** What was lost, summed up by source, company, stream and reason: the most first, `limit` at most. */
export async function listLosses(
  { db }: Pick<Postgres, 'db'>,
  filter: LossFilter,
  limit: number,
): Promise<Loss[]> {
  const { company, source, stream, reasons, since } = filter;
  const conditions = [
    sql`hour >= ${new Date(Math.floor(since.getTime() / HOUR_MS) * HOUR_MS)}`,
    readable('company', filter),
    ...(company === undefined ? [] : [sql`company = ${company}`]),
    ...(source === undefined ? [] : [ofSource('source', source)]),
    ...(stream === undefined ? [] : [sql`stream = ${stream}`]),
    ...(reasons?.length ? [sql`reason = ANY(${[...reasons]}::text[])`] : []),
  ];
  const { rows } = await sql<Omit<Loss, 'records'> & { records: string }>`
    SELECT source, company, stream, reason, sum(records) AS records, max(last_at) AS "lastAt",
      (array_agg(last_detail ORDER BY last_at DESC) FILTER (WHERE last_detail IS NOT NULL))[1] AS detail
    FROM losses WHERE ${sql.join(conditions, sql` AND `)}
    GROUP BY source, company, stream, reason
    ORDER BY sum(records) DESC, source, company, stream, reason LIMIT ${limit}`.execute(db);
  return rows.map((row) => ({ ...row, records: Number(row.records) }));
}

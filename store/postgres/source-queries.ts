import { type Selectable, sql } from 'kysely';
import type { CompanyScope } from '../../model/principal.ts';
import type { SourceStream } from '../../model/watermark.ts';
import type { Postgres } from './database.ts';
import type { SourceTable } from './schema.ts';
import { inScope } from './scope.ts';

export type SourceRow = Selectable<SourceTable>;

/** So many streams are read at most. */
export const MAX_SOURCES = 1_000;

/** The streams of the sources that feed the readable companies, by source, company and stream. */
export async function sourcesOf(
  postgres: Postgres,
  filter: { readonly companies: CompanyScope; readonly company?: string | undefined },
): Promise<SourceRow[]> {
  let query = postgres.db.selectFrom('sources').selectAll();
  query = query.where(inScope('company', filter.companies));
  if (filter.company !== undefined) query = query.where('company', '=', filter.company);
  return await query.orderBy('source').orderBy('company').orderBy('stream').limit(MAX_SOURCES).execute();
}

/** A row as model/watermark.ts judges it. */
export function streamOf(row: SourceRow): SourceStream {
  const NANOS_PER_MS = 1_000_000n;
  return {
    source: row.source,
    company: row.company,
    stream: row.stream,
    kind: row.kind,
    completeUpTo: row.complete_up_to_ns === null ? undefined : BigInt(row.complete_up_to_ns),
    completeWithoutLimit: row.complete_without_limit,
    latenessNanos: BigInt(row.lateness_ms) * NANOS_PER_MS,
    silenceNanos: BigInt(row.silence_ms) * NANOS_PER_MS,
    lastArrivalAt: row.last_arrival_at ? BigInt(row.last_arrival_at.getTime()) * NANOS_PER_MS : undefined,
    types: row.types,
  };
}

/** The companies of a table by its index on them: one step a company, however many rows there are. */
const companiesOf = (table: 'exceptions' | 'incidents') => sql`(
  WITH RECURSIVE step AS (
    SELECT min(company) AS company FROM ${sql.table(table)}
    UNION ALL
    SELECT (SELECT min(company) FROM ${sql.table(table)} WHERE company > step.company)
    FROM step WHERE step.company IS NOT NULL
  )
  SELECT company FROM step WHERE company IS NOT NULL)`;

/** Every company that any stored row names, sorted; an empty name (telemetry without a company) is left out. */
export async function knownCompanies({ db }: Postgres): Promise<string[]> {
  const { rows } = await sql<{ company: string }>`
    SELECT company FROM sources UNION ${companiesOf('exceptions')} UNION ${companiesOf('incidents')}`.execute(
    db,
  );
  return rows
    .map((row) => row.company)
    .filter((key) => key !== '' && key !== '*')
    .sort();
}

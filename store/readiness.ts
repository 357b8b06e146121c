import { sql } from 'kysely';
import type { Company } from '../model/company.ts';
import { boundsOf, type Period } from '../model/period.ts';
import {
  confidenceOf,
  type ExceptionGroup,
  type Gate,
  gatesOf,
  type Verdict,
  verdictOf,
} from '../model/readiness.ts';
import { dateOf, nanosOf } from '../model/time.ts';
import { isFresh, watermarkAt } from '../model/watermark.ts';
import type { ClickHouse } from './clickhouse/client.ts';
import { hasEventsBefore } from './clickhouse/event-queries.ts';
import type { Postgres } from './postgres/database.ts';
import { countDeadLetters } from './postgres/dead-letter-queries.ts';
import { type SourceRow, sourcesOf, streamOf } from './postgres/source-queries.ts';

/** Can the books of a company and period be closed, as of an instant? */
export interface Readiness {
  readonly company: Company;
  readonly period: Period;
  /** The first instant of the period and the first one after it, in epoch nanoseconds. */
  readonly start: bigint;
  readonly end: bigint;
  /** When it was judged. */
  readonly at: bigint;
  readonly verdict: Verdict;
  readonly confidence: number;
  readonly gates: readonly Gate[];
  readonly groups: readonly ExceptionGroup[];
  readonly sources: readonly SourceRow[];
}

/** Judges the readiness of a company and period at `now` (epoch nanoseconds) by what the stores hold. */
export async function readinessOf(
  { postgres, clickhouse }: { readonly postgres: Postgres; readonly clickhouse: ClickHouse },
  { company, period }: { readonly company: Company; readonly period: Period },
  now: bigint,
): Promise<Readiness> {
  const { start, end } = boundsOf(period, company);
  const [groups, sources, deadLetters] = await Promise.all([
    exceptionGroups(postgres, company.key, end),
    sourcesOf(postgres, { companies: '*', company: company.key }),
    countDeadLetters(postgres, company.key, { from: dateOf(start), to: dateOf(now) }),
  ]);
  // A source may have been first seen by a file of older events: then the events themselves tell.
  const dataKnown =
    sources.some((row) => nanosOf(row.first_seen_at) < end) ||
    (sources.length > 0 && (await hasEventsBefore(clickhouse, company.key, end)));
  const materialityKnown = company.materiality !== undefined;
  const gates = gatesOf({
    ended: end <= now,
    dataKnown,
    groups,
    sources: sources.map((row) => ({
      source: row.source,
      complete: isCompleteFor(row, { company, end, now }),
    })),
    deadLetters,
    materialityKnown,
  });
  const judged = { verdict: verdictOf(gates), confidence: confidenceOf(gates, materialityKnown), gates };
  return { company, period, start, end, at: now, ...judged, groups, sources };
}

/** A stream is complete for a period when it is so up to the period's end, or, while that lies ahead, as of now. */
function isCompleteFor(
  row: SourceRow,
  { company, end, now }: { company: Company; end: bigint; now: bigint },
): boolean {
  const stream = streamOf(row);
  const mark = watermarkAt(stream, now, company);
  if (mark !== undefined && mark >= end) return true;
  return end > now - stream.latenessNanos && isFresh(stream, now, company);
}

/** Standing and waived exceptions of the company's documents that began before `before` (epoch ns), grouped and summed exactly. */
async function exceptionGroups(
  postgres: Postgres,
  company: string,
  before: bigint,
): Promise<ExceptionGroup[]> {
  const rows = await postgres.db
    .selectFrom('exceptions')
    .select(['severity', 'close_impact', 'state', 'currency'])
    .select((eb) => [eb.fn.countAll().as('n'), sql<string | null>`sum(amount::numeric)::text`.as('sum')])
    .where('company', '=', company)
    .where('state', 'in', ['open', 'indeterminate', 'waived'])
    .where('anchor_ns', '<', `${before}`)
    .groupBy(['severity', 'close_impact', 'state', 'currency'])
    .execute();
  return rows.map((row) => ({
    severity: row.severity,
    closeImpact: row.close_impact,
    state: row.state as ExceptionGroup['state'],
    currency: row.currency ?? undefined,
    amount: row.sum ?? undefined,
    count: Number(row.n),
  }));
}

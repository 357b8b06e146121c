import { sql } from 'kysely';
import type { ClockReading, ClockState } from '../../model/clock-skew.ts';
import type { CompanyScope } from '../../model/principal.ts';
import type { StreamName } from '../intake/sums.ts';
import { decodeCursor, encodeCursor, type Page } from '../paging.ts';
import type { Postgres } from './database.ts';
import type { SourceDomain } from './schema.ts';
import { inScope } from './scope.ts';
import type { SourceRow } from './source-queries.ts';

export interface StreamFilter {
  readonly companies: CompanyScope;
  /** Are streams of no company, telemetry, readable too? */
  readonly telemetry: boolean;
  readonly company?: string | undefined;
  /** It and what lies below it by `/`. */
  readonly source?: string | undefined;
  readonly stream?: string | undefined;
  readonly domain?: SourceDomain | undefined;
}

/** The rows of companies that are readable, and, for who may read telemetry, those of none. */
export const readable = (
  column: string,
  { companies, telemetry }: Pick<StreamFilter, 'companies' | 'telemetry'>,
) =>
  sql<boolean>`(${inScope(column, companies)} AND ${sql.ref(column)} <> '' OR ${telemetry}::boolean AND ${sql.ref(column)} = '')`;

/** The rows of the source and of what lies below it. */
export const ofSource = (column: string, source: string) =>
  sql<boolean>`(${sql.ref(column)} = ${source} OR starts_with(${sql.ref(column)}, ${source} || '/'))`;

/**
 * Every stream of every source, by source, company and stream: those with a watermark that rules depend on, and telemetry,
 * which is assumed complete while it flows and which nothing depends on.
 */
export async function listStreams({ db }: Postgres, filter: StreamFilter, page: Page): Promise<SourceRow[]> {
  const { company, source, stream, domain } = filter;
  const after = decodeCursor(page.after, [/^/, /^/, /^/]);
  const conditions = [
    readable('company', filter),
    ...(company === undefined ? [] : [sql`company = ${company}`]),
    ...(source === undefined ? [] : [ofSource('source', source)]),
    ...(stream === undefined ? [] : [sql`stream = ${stream}`]),
    ...(domain === undefined ? [] : [sql`domain = ${domain}`]),
    ...(after ? [sql`(source, company, stream) > (${after[0]}, ${after[1]}, ${after[2]})`] : []),
  ];
  const { rows } = await sql<SourceRow>`
    SELECT source, company, stream, kind, complete_up_to_ns, complete_without_limit, lateness_ms, silence_ms, types,
      first_seen_at, last_event_ns, last_arrival_at, events, errors, updated_at
    FROM (
      SELECT source, company, stream, coalesce(own.kind, 'assumed') AS kind, own.complete_up_to_ns,
        coalesce(own.complete_without_limit, false) AS complete_without_limit,
        coalesce(own.lateness_ms, account.lateness_ms) AS lateness_ms,
        CASE WHEN own.source IS NULL THEN account.silence_ms ELSE own.silence_ms END AS silence_ms,
        coalesce(own.types, '{}') AS types,
        coalesce(own.first_seen_at, account.first_seen_at) AS first_seen_at,
        greatest(own.last_event_ns, account.last_event_ns) AS last_event_ns,
        coalesce(own.last_arrival_at, account.last_arrival_at) AS last_arrival_at,
        coalesce(own.events, account.records) AS events, coalesce(own.errors, 0) AS errors,
        coalesce(own.updated_at, account.last_arrival_at) AS updated_at,
        coalesce(account.domain, 'transactional') AS domain
      FROM sources AS own FULL JOIN intake AS account USING (source, company, stream)
    ) AS streams
    WHERE ${sql.join(conditions, sql` AND `)}
    ORDER BY source, company, stream LIMIT ${page.limit}`.execute(db);
  return rows;
}

export const streamCursor = ({ source, company, stream }: StreamName): string =>
  encodeCursor([source, company, stream]);

/** What the account of what comes in says of a stream. */
export interface StreamIntake {
  readonly domain: SourceDomain;
  /** Since it was first seen. */
  readonly records: number;
  readonly bytes: number;
  readonly known: number;
  /** Records a minute, over the last 5 minutes, hour, 24 hours. */
  readonly rates: { readonly fiveMinutes: number; readonly hour: number; readonly day: number };
  /** Records lost within the last 24 hours. */
  readonly lost: number;
  /** What the source's last live data tell of its clock. */
  readonly clock: ClockReading | undefined;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

interface IntakeRow {
  domain: SourceDomain | null;
  records: string | null;
  bytes: string | null;
  known: string | null;
  five: string;
  hour: string;
  day: string;
  lost: string;
  state: ClockState | null;
  skew_ms: string;
  confidence: 'low' | 'high';
  clock_records: string;
  from_at: Date;
  to_at: Date;
}

/** What the account says of each of the streams at `now`, in their order. */
export async function intakeOf(
  { db }: Pick<Postgres, 'db'>,
  streams: readonly StreamName[],
  now: Date,
): Promise<StreamIntake[]> {
  const start = (width: number, back: number): Date =>
    new Date((Math.floor(now.getTime() / width) - back) * width);
  // Whole buckets, the one that runs included; what they hold is divided by the time that they really cover.
  const from = { five: start(MINUTE_MS, 4), hour: start(MINUTE_MS, 59), day: start(HOUR_MS, 23) };
  const { rows } = await sql<IntakeRow>`
    SELECT account.domain, account.records, account.bytes, account.known,
      rate.five, rate.hour, rate.day, loss.lost,
      clock.state, clock.skew_ms, clock.confidence, clock.records AS clock_records, clock.from_at, clock.to_at
    FROM unnest(${streams.map(({ source }) => source)}::text[], ${streams.map(({ company }) => company)}::text[],
      ${streams.map(({ stream }) => stream)}::text[]) WITH ORDINALITY AS asked (source, company, stream, n)
    LEFT JOIN intake AS account USING (source, company, stream)
    LEFT JOIN source_clocks AS clock USING (source)
    CROSS JOIN LATERAL (
      SELECT coalesce(sum(records) FILTER (WHERE width = 'minute' AND at >= ${from.five}), 0) AS five,
        coalesce(sum(records) FILTER (WHERE width = 'minute'), 0) AS hour,
        coalesce(sum(records) FILTER (WHERE width = 'hour'), 0) AS day
      FROM source_rates AS bucket
      WHERE bucket.source = asked.source AND bucket.company = asked.company AND bucket.stream = asked.stream
        AND (width = 'minute' AND at >= ${from.hour} OR width = 'hour' AND at >= ${from.day})
    ) AS rate
    CROSS JOIN LATERAL (
      SELECT coalesce(sum(records), 0) AS lost FROM losses
      WHERE losses.source = asked.source AND losses.company = asked.company AND losses.stream = asked.stream
        AND hour >= ${from.day}
    ) AS loss
    ORDER BY asked.n`.execute(db);
  const perMinute = (records: string, since: Date): number =>
    Number(records) / Math.max(1, (now.getTime() - since.getTime()) / MINUTE_MS);
  return rows.map((row) => ({
    domain: row.domain ?? 'transactional',
    records: Number(row.records ?? 0),
    bytes: Number(row.bytes ?? 0),
    known: Number(row.known ?? 0),
    rates: {
      fiveMinutes: perMinute(row.five, from.five),
      hour: perMinute(row.hour, from.hour),
      day: perMinute(row.day, from.day),
    },
    lost: Number(row.lost),
    clock:
      row.state === null
        ? undefined
        : {
            state: row.state,
            skewMs: Number(row.skew_ms),
            confidence: row.confidence,
            records: Number(row.clock_records),
            from: row.from_at.getTime(),
            to: row.to_at.getTime(),
          },
  }));
}

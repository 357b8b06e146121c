import { sql } from 'kysely';
import { type IntakeSums, KEEP_RATES_MS } from '../intake/sums.ts';
import type { Postgres } from './database.ts';
import { recordset } from './recordset.ts';
import type { IntakeTable, LossTable, SourceClockTable, SourceRateTable } from './schema.ts';

const DAY_MS = 86_400_000;
const KEEP_LOSSES_MS = 90 * DAY_MS;
const ROWS_AT_ONCE = 10_000;

const STREAM = [
  'source',
  'company',
  'stream',
  'domain',
  'first_seen_at',
  'last_event_ns',
  'last_arrival_at',
  'records',
  'bytes',
  'known',
] as const satisfies (keyof IntakeTable)[];
const RATE = [
  'source',
  'company',
  'stream',
  'width',
  'at',
  'records',
  'bytes',
  'known',
] as const satisfies (keyof SourceRateTable)[];
const LOSS = [
  'source',
  'company',
  'stream',
  'reason',
  'hour',
  'records',
  'last_at',
  'last_detail',
] as const satisfies (keyof LossTable)[];
const CLOCK = [
  'source',
  'state',
  'skew_ms',
  'confidence',
  'records',
  'from_at',
  'to_at',
] as const satisfies (keyof SourceClockTable)[];

const columns = (names: readonly string[]) => sql.join(names.map((name) => sql.ref(name)));

/** Adds the sums to the tables in one statement; returns whether a stream among them is new. */
export async function storeIntake({ db }: Pick<Postgres, 'db'>, sums: IntakeSums): Promise<boolean> {
  const streams = sums.streams.map((sum) => ({
    ...sum,
    domain: sum.company === '' ? 'telemetry' : 'transactional',
    first_seen_at: sum.last_arrival_at,
  }));
  const clocks = sums.clocks.map(({ source, state, skewMs, confidence, records, from, to }) => ({
    ...{ source, state, skew_ms: skewMs, confidence, records },
    from_at: new Date(from),
    to_at: new Date(to),
  }));
  const { rows } = await sql<{ fresh: boolean }>`
    WITH streams AS (
      INSERT INTO intake (${columns(STREAM)}) ${recordset('intake', STREAM, streams)}
      ON CONFLICT (source, company, stream) DO UPDATE SET
        last_event_ns = greatest(intake.last_event_ns, excluded.last_event_ns),
        last_arrival_at = greatest(intake.last_arrival_at, excluded.last_arrival_at),
        records = intake.records + excluded.records,
        bytes = intake.bytes + excluded.bytes,
        known = intake.known + excluded.known
      RETURNING xmax = 0 AS fresh
    ), rates AS (
      INSERT INTO source_rates (${columns(RATE)}) ${recordset('source_rates', RATE, sums.rates)}
      ON CONFLICT (source, company, stream, width, at) DO UPDATE SET
        records = source_rates.records + excluded.records,
        bytes = source_rates.bytes + excluded.bytes,
        known = source_rates.known + excluded.known
    ), clocks AS (
      INSERT INTO source_clocks (${columns(CLOCK)}) ${recordset('source_clocks', CLOCK, clocks)}
      ON CONFLICT (source) DO UPDATE SET state = excluded.state, skew_ms = excluded.skew_ms,
        confidence = excluded.confidence, records = excluded.records, from_at = excluded.from_at, to_at = excluded.to_at
    ), losses AS (
      INSERT INTO losses (${columns(LOSS)}) ${recordset('losses', LOSS, sums.losses)}
      ON CONFLICT (source, company, stream, reason, hour) DO UPDATE SET
        records = losses.records + excluded.records,
        last_at = greatest(losses.last_at, excluded.last_at),
        last_detail = coalesce(excluded.last_detail, losses.last_detail)
    )
    SELECT coalesce(bool_or(fresh), false) AS fresh FROM streams`.execute(db);
  return rows[0]?.fresh ?? false;
}

/** Removes rates that no window reaches any more and losses of 90 days before `now`: 10,000 rows of each at a call. */
export async function tidyIntake({ db }: Pick<Postgres, 'db'>, now: Date): Promise<number> {
  const before = (ms: number): Date => new Date(now.getTime() - ms);
  const ofRates = (['minute', 'hour'] as const).map(
    (width) => sql`DELETE FROM source_rates WHERE ctid = ANY(ARRAY(SELECT ctid FROM source_rates
      WHERE width = ${width} AND at < ${before(KEEP_RATES_MS[width])} LIMIT ${ROWS_AT_ONCE}))`,
  );
  const ofLosses = sql`DELETE FROM losses WHERE ctid = ANY(ARRAY(SELECT ctid FROM losses
    WHERE hour < ${before(KEEP_LOSSES_MS)} LIMIT ${ROWS_AT_ONCE}))`;
  let removed = 0;
  for (const remove of [...ofRates, ofLosses])
    removed += Number((await remove.execute(db)).numAffectedRows ?? 0n);
  return removed;
}

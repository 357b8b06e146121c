import { sql } from 'kysely';
import type { BusinessClock } from '../model/business-time.ts';
import { dateOf, nanosOf } from '../model/time.ts';
import { isFresh, watermarkAt } from '../model/watermark.ts';
import type { Sample } from './counters.ts';
import { unanchoredSince } from './postgres/audit.ts';
import type { Postgres } from './postgres/database.ts';
import { MAX_SOURCES, type SourceRow, streamOf } from './postgres/source-queries.ts';
import { intakeOf, listStreams, type StreamIntake } from './postgres/streams.ts';

const BY_STREAM = ['company', 'source', 'stream'] as const;

/** How things stand, read from PostgreSQL when /metrics is asked: what it is and by which labels. */
export const GAUGES = {
  closewatch_audit_unanchored_seconds: {
    help: 'for how long the oldest row of the audit chain waits for an anchor that covers it; 0 without any',
    labels: [],
  },
  closewatch_detect_age_seconds: { help: 'since the last pass of detection ended', labels: [] },
  closewatch_forward_backlog_batches: {
    help: 'batches of accepted events that are not in ClickHouse yet',
    labels: [],
  },
  closewatch_forward_backlog_events: { help: 'events in these batches', labels: [] },
  closewatch_forward_backlog_seconds: {
    help: 'for how long the oldest of them waits; 0 without any',
    labels: [],
  },
  closewatch_ingest_pending_bytes: {
    help: 'bytes of requests that are not answered yet, by what they carry: events, otlp',
    labels: ['room'],
  },
  closewatch_source_arrival_age_seconds: { help: 'since anything last arrived', labels: BY_STREAM },
  closewatch_source_event_age_seconds: { help: 'since the time of the newest record', labels: BY_STREAM },
  closewatch_source_fresh: {
    help: '1 while the stream is as complete as it promises, else 0',
    labels: BY_STREAM,
  },
  closewatch_source_skew_seconds: {
    help: 'how far the clock of the sender is ahead; negative: late or behind by at least so much',
    labels: ['source', 'state'],
  },
  closewatch_source_watermark_age_seconds: {
    help: 'how far the watermark lies behind now; none where nothing is assured',
    labels: BY_STREAM,
  },
  closewatch_source_bytes: {
    help: 'bytes that came, since the stream was first seen',
    labels: BY_STREAM,
    type: 'counter',
  },
  closewatch_source_known: {
    help: 'records that came again, since the stream was first seen',
    labels: BY_STREAM,
    type: 'counter',
  },
  closewatch_source_records: {
    help: 'new records that came, since the stream was first seen',
    labels: BY_STREAM,
    type: 'counter',
  },
} as const satisfies Record<string, { help: string; labels: readonly string[]; type?: 'counter' }>;

type GaugeName = keyof typeof GAUGES;

const sample = (name: GaugeName, labels: Sample['labels'], value: number): Sample => {
  const { help, type = 'gauge' } = GAUGES[name] as { help: string; type?: 'counter' };
  return { name, type, help, labels, value };
};

/** Skews older than this say nothing of the clock now. */
const SKEW_HOLDS_MS = 3_600_000;

/**
 * The gauges as of `now` (epoch nanoseconds): those of the first 1,000 streams. Reading costs by the streams and by what
 * waits, not by the history.
 */
export async function readGauges(
  postgres: Postgres,
  given: {
    readonly now: bigint;
    readonly company: (key: string) => BusinessClock;
    readonly pendingBytes: Readonly<Record<string, number>>;
    /** Number of the last row of the audit chain that is anchored; 0 for none. */
    readonly anchored: number;
  },
): Promise<Sample[]> {
  const { now } = given;
  const streams = await listStreams(postgres, { companies: '*', telemetry: true }, { limit: MAX_SOURCES });
  const intakes = await intakeOf(postgres, streams, dateOf(now));
  const unanchored = await unanchoredSince(postgres.db, given.anchored);
  const samples = [
    sample('closewatch_audit_unanchored_seconds', {}, unanchored ? ageOf(unanchored, dateOf(now)) : 0),
    ...(await backlog(postgres, dateOf(now))),
    ...Object.entries(given.pendingBytes).map(([room, bytes]) =>
      sample('closewatch_ingest_pending_bytes', { room }, bytes),
    ),
    ...streams.flatMap((row, i) => ofStream(row, intakes[i], now, given.company(row.company))),
    ...skews(streams, intakes, dateOf(now).getTime()),
  ];
  return samples.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

const ageOf = (then: Date, now: Date): number => Math.max(0, (now.getTime() - then.getTime()) / 1000);

async function backlog({ db }: Postgres, now: Date): Promise<Sample[]> {
  const { rows } = await sql<{ batches: string; events: string; oldest: Date | null; pass: Date | null }>`
    SELECT count(*) AS batches, coalesce(sum(rows), 0) AS events, min(accepted_at) AS oldest,
      (SELECT max(ended_at) FROM control_runs) AS pass
    FROM batches WHERE state = 'pending' AND kind = 'inbox'`.execute(db);
  const [row] = rows;
  return [
    ...(row?.pass ? [sample('closewatch_detect_age_seconds', {}, ageOf(row.pass, now))] : []),
    sample('closewatch_forward_backlog_batches', {}, Number(row?.batches ?? 0)),
    sample('closewatch_forward_backlog_events', {}, Number(row?.events ?? 0)),
    sample('closewatch_forward_backlog_seconds', {}, row?.oldest ? ageOf(row.oldest, now) : 0),
  ];
}

function ofStream(
  row: SourceRow,
  intake: StreamIntake | undefined,
  now: bigint,
  clock: BusinessClock,
): Sample[] {
  const { source, company, stream } = row;
  const labels = { company, source, stream };
  const seconds = (then: bigint): number => Number((now - then) / 1_000_000n) / 1000;
  const mark = watermarkAt(streamOf(row), now, clock);
  return [
    ...(row.last_arrival_at
      ? [sample('closewatch_source_arrival_age_seconds', labels, seconds(nanosOf(row.last_arrival_at)))]
      : []),
    ...(row.last_event_ns === null
      ? []
      : [sample('closewatch_source_event_age_seconds', labels, seconds(BigInt(row.last_event_ns)))]),
    sample('closewatch_source_fresh', labels, isFresh(streamOf(row), now, clock) ? 1 : 0),
    ...(mark === undefined ? [] : [sample('closewatch_source_watermark_age_seconds', labels, seconds(mark))]),
    sample('closewatch_source_bytes', labels, intake?.bytes ?? 0),
    sample('closewatch_source_known', labels, intake?.known ?? 0),
    sample('closewatch_source_records', labels, intake?.records ?? 0),
  ];
}

/** One a source, of data no older than an hour. */
function skews(streams: readonly SourceRow[], intakes: readonly StreamIntake[], now: number): Sample[] {
  const clocks = new Map(streams.map(({ source }, i) => [source, intakes[i]?.clock]));
  return [...clocks].flatMap(([source, clock]) =>
    clock && now - clock.to < SKEW_HOLDS_MS
      ? [sample('closewatch_source_skew_seconds', { source, state: clock.state }, clock.skewMs / 1000)]
      : [],
  );
}

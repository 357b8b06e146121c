import { z } from 'zod';
import {
  holdOn,
  keptFor,
  RETENTION_CLASSES,
  type RetentionClass,
  type RetentionConfig,
} from '../../model/retention.ts';
import type { Logger } from '../logger.ts';
import type { ClickHouse } from './client.ts';
import { defineQuery } from './query.ts';

/** A table, and the column that says how old a row is. */
interface Timed {
  readonly table: string;
  readonly time: string;
  /** It goes with what it belongs to, whatever its own time. */
  readonly follows?: true;
}

const TABLES: Readonly<Record<RetentionClass, readonly Timed[]>> = {
  traces: [
    { table: 'otel_traces', time: 'Timestamp' },
    { table: 'otel_traces_trace_id_ts', time: 'Start' },
    { table: 'span_keys', time: 'Timestamp' },
  ],
  logs: [{ table: 'otel_logs', time: 'Timestamp' }],
  metrics: ['gauge', 'sum', 'histogram', 'exp_histogram', 'summary'].map((kind) => ({
    table: `otel_metrics_${kind}`,
    time: 'TimeUnix',
  })),
  events: [
    { table: 'finance_events', time: 'ReceivedAt' },
    { table: 'event_keys', time: 'Time', follows: true },
    { table: 'document_events', time: 'Time', follows: true },
  ],
  history: [{ table: 'incident_events', time: 'At' }],
};

const engines = defineQuery({
  name: 'retention.engines',
  sql: 'SELECT name, engine_full AS engine FROM system.tables WHERE database = currentDatabase()',
  params: z.object({}),
  row: z.object({ name: z.string(), engine: z.string() }),
});

/** A table whose time to live was changed. */
export interface RetentionChange {
  readonly table: string;
  /** Milliseconds; undefined: for ever. */
  readonly keep: number | undefined;
}

const ttlOf = (engine: string | undefined): string | undefined =>
  / TTL (.+?)(?: SETTINGS |$)/.exec(engine ?? '')?.[1];

/**
 * Gives the tables of telemetry and of history the time to live that the settings name at `at`, and takes it from those
 * that are held or not named; returns what was changed. The engine drops parts as wholes when their last row is over. What
 * lay there before is dated without being written again. May be run at any time, by several processes.
 */
export async function applyRetention(
  clickhouse: ClickHouse,
  config: RetentionConfig,
  { at, logger }: { readonly at: Date; readonly logger: Logger },
): Promise<RetentionChange[]> {
  const found = new Map(
    (await clickhouse.query(engines, {})).map(({ name, engine }) => [name, ttlOf(engine)]),
  );
  const changes: RetentionChange[] = [];
  for (const of of RETENTION_CLASSES.filter((name) => name !== 'events')) {
    const keep = keptFor(config, of, at);
    for (const { table, time } of TABLES[of]) {
      const was = found.get(table);
      const wanted =
        keep === undefined ? undefined : `toDateTime(${time}) + toIntervalSecond(${Math.floor(keep / 1000)})`;
      if (was === wanted) continue;
      if (wanted === undefined) await clickhouse.command(`ALTER TABLE ${table} REMOVE TTL`);
      else await setTtl(clickhouse, table, wanted);
      logger.info(
        { table, was: was ?? 'for ever', is: wanted ?? 'for ever' },
        'the retention of a table changed',
      );
      changes.push({ table, keep });
    }
  }
  return changes;
}

async function setTtl(clickhouse: ClickHouse, table: string, ttl: string): Promise<void> {
  await clickhouse.command(
    `ALTER TABLE ${table} MODIFY SETTING ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1`,
  );
  await clickhouse.command(
    `ALTER TABLE ${table} MODIFY TTL ${ttl} SETTINGS materialize_ttl_after_modify = 0`,
  );
  await clickhouse.command(`ALTER TABLE ${table} MATERIALIZE TTL`);
}

/** The months of receipt, of finance events. A batch may lie in two of them. */
const months = defineQuery({
  name: 'retention.months',
  sql: `SELECT toYYYYMM(ReceivedAt) AS month, count() AS rows, min(Batch) AS first, max(Batch) AS last
    FROM finance_events GROUP BY month ORDER BY month`,
  params: z.object({}),
  row: z.object({
    month: z.coerce.string(),
    rows: z.coerce.number(),
    first: z.coerce.bigint(),
    last: z.coerce.bigint(),
  }),
});

/** A month of finance events that went. */
export interface DroppedMonth {
  /** `2025-05`, of receipt, UTC. */
  readonly month: string;
  readonly events: number;
}

const endOf = (month: string): Date =>
  new Date(Date.UTC(Number(month.slice(0, 4)), Number(month.slice(4)), 1));

/**
 * Drops the finance events of each month of receipt whose end is longer ago than `events` of the settings at `at`, and
 * their keys. The keys go first: broken off in between, the month is still there and goes the next time.
 */
export async function dropOldEvents(
  clickhouse: ClickHouse,
  config: RetentionConfig,
  at: Date,
): Promise<DroppedMonth[]> {
  const keep = keptFor(config, 'events', at);
  if (keep === undefined) return [];
  const all = await clickhouse.query(months, {});
  const isOver = ({ month }: { month: string }): boolean => endOf(month).getTime() <= at.getTime() - keep;
  const [old, kept] = [all.filter(isOver), all.filter((month) => !isOver(month))];
  const dropped: DroppedMonth[] = [];
  for (const { month, rows, last } of old) {
    const firstKept = kept.reduce((least, { first }) => (first < least ? first : least), last + 1n);
    for (const { table } of TABLES.events.filter(({ follows }) => follows))
      await clickhouse.command(`DELETE FROM ${table} WHERE Batch <= ${last} AND Batch < ${firstKept}`);
    await clickhouse.command(`ALTER TABLE finance_events DROP PARTITION ID '${month}'`);
    dropped.push({ month: `${month.slice(0, 4)}-${month.slice(4)}`, events: rows });
  }
  return dropped;
}

/** What a table holds, and how long. Instants as ISO text; null where it is empty. */
export interface TableRetention {
  readonly of: RetentionClass;
  readonly table: string;
  /** Milliseconds; null: for ever, or while it is held. */
  readonly keptFor: number | null;
  readonly hold: { readonly reason: string; readonly until: string | null } | null;
  readonly rows: number;
  /** Compressed, on disk. */
  readonly bytes: number;
  readonly oldest: string | null;
  readonly newest: string | null;
  /**
   * Rows that are older than that, held or not; they go with the last row of their part or month. Null for a table that goes
   * by the age of another.
   */
  readonly over: number | null;
}

const content = ({ table, time }: Timed) =>
  defineQuery({
    name: `retention.${table}`,
    sql: `SELECT count() AS rows, toUnixTimestamp64Milli(toDateTime64(min(${time}), 3)) AS oldest,
        toUnixTimestamp64Milli(toDateTime64(max(${time}), 3)) AS newest,
        countIf(${time} < fromUnixTimestamp64Milli({before:Int64})) AS over,
        (SELECT sum(bytes_on_disk) FROM system.parts
          WHERE database = currentDatabase() AND table = '${table}' AND active) AS bytes
      FROM ${table}`,
    params: z.object({ before: z.number() }),
    row: z.object({
      rows: z.coerce.number(),
      oldest: z.coerce.number(),
      newest: z.coerce.number(),
      over: z.coerce.number(),
      bytes: z.coerce.number(),
    }),
  });

/** What every table holds, how long that is kept, and what of it is over. Reads the time column of each table once. */
export async function listRetention(
  clickhouse: ClickHouse,
  config: RetentionConfig,
  at: Date,
): Promise<TableRetention[]> {
  const list: TableRetention[] = [];
  for (const of of RETENTION_CLASSES) {
    const hold = holdOn(config, of, at);
    const configured = config[of];
    for (const timed of TABLES[of]) {
      const before = configured === undefined ? 0 : at.getTime() - configured;
      const [row] = await clickhouse.query(content(timed), { before });
      if (!row) continue;
      const iso = (ms: number): string | null => (row.rows === 0 ? null : new Date(ms).toISOString());
      list.push({
        of,
        table: timed.table,
        keptFor: keptFor(config, of, at) ?? null,
        hold: hold ? { reason: hold.reason, until: hold.until ?? null } : null,
        rows: row.rows,
        bytes: row.bytes,
        oldest: iso(row.oldest),
        newest: iso(row.newest),
        over: timed.follows ? null : row.over,
      });
    }
  }
  return list;
}

/**
 * What the HTTP engine costs against chDB in this process: inserts of 10,000-row Native blocks of spans, and small
 * queries. Both run in turns, so that the machine's load hits both; the ratio is what counts.
 *
 *     node bench/engine.ts [rounds]
 */
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@clickhouse/client';
import { Session } from 'chdb';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { clickhouseMigrations, migrate, statementsFor } from '../store/clickhouse/migrate.ts';
import { temporaryEngine } from '../store/clickhouse/testing/temporary.ts';

const ROUNDS = Number(process.argv[2] ?? 20);
const ROWS = 10_000;
const SMALL = 200;

/** Spans like those of an integration: 6 resource and 12 span attributes. */
const SPANS = `SELECT now64(9) - toIntervalSecond(number % 3600) AS Timestamp, lower(hex(MD5(toString(rand64())))) AS TraceId,
  lower(hex(rand64())) AS SpanId, lower(hex(rand64(1))) AS ParentSpanId, '' AS TraceState,
  concat('POST /bills/', toString(number % 40))::LowCardinality(String) AS SpanName, 'Server'::LowCardinality(String) AS SpanKind,
  concat('svc-', toString(number % 12))::LowCardinality(String) AS ServiceName,
  mapFromArrays(arrayMap(i -> concat('res.', toString(i)), range(6)), arrayMap(i -> concat('v', toString(number % 5 + i)), range(6)))::Map(LowCardinality(String), String) AS ResourceAttributes,
  'scope' AS ScopeName, '1.0' AS ScopeVersion,
  mapFromArrays(arrayMap(i -> concat('attr.', toString(i)), range(12)), arrayMap(i -> toString(cityHash64(number, i) % 5000), range(12)))::Map(LowCardinality(String), String) AS SpanAttributes,
  rand64(2) % 1000000000 AS Duration, 'Ok'::LowCardinality(String) AS StatusCode, '' AS StatusMessage
  FROM numbers(${ROWS})`;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const quantile = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))]!;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now();
  await work();
  return performance.now() - since;
}

const folder = mkdtempSync(join(tmpdir(), 'closewatch-bench-'));
const engine = await temporaryEngine();
const clickhouse = connectClickHouse(engine);
const client = createClient({
  ...engine,
  url: engine.url,
  username: engine.username,
  password: engine.password,
  database: engine.database,
});
const inProcess = new Session(join(folder, 'db'));
try {
  await migrate(clickhouse);
  await inProcess.queryAsync('CREATE DATABASE closewatch ENGINE = Atomic');
  await inProcess.queryAsync('USE closewatch');
  for (const { sql } of clickhouseMigrations()) {
    for (const statement of statementsFor(sql, '26.7')) await inProcess.queryAsync(statement);
  }
  const block = Buffer.from((await inProcess.queryAsync(SPANS, { format: 'Native' })).bytes());
  const columns = [
    'Timestamp',
    'TraceId',
    'SpanId',
    'ParentSpanId',
    'TraceState',
    'SpanName',
    'SpanKind',
    'ServiceName',
    'ResourceAttributes',
    'ScopeName',
    'ScopeVersion',
    'SpanAttributes',
    'Duration',
    'StatusCode',
    'StatusMessage',
  ];
  const file = join('/dev/shm', `closewatch-bench-${process.pid}`);
  const direct = async (token: string) => {
    writeFileSync(file, block, { mode: 0o600 });
    await inProcess.queryAsync(
      `INSERT INTO otel_traces (${columns.join(', ')}) FROM INFILE '${file}' COMPRESSION 'none'
       SETTINGS insert_deduplication_token = '${token}', deduplicate_blocks_in_dependent_materialized_views = 1 FORMAT Native`,
    );
    unlinkSync(file);
  };
  const overHttp = (token: string) => clickhouse.insertNative('otel_traces', columns, block, { token });
  await direct('warm');
  await overHttp('warm');
  const inserts = { http: [] as number[], direct: [] as number[] };
  for (let i = 0; i < ROUNDS; i++) {
    inserts.direct.push(await timed(() => direct(`d${i}`)));
    inserts.http.push(await timed(() => overHttp(`h${i}`)));
  }
  const small = "SELECT count() AS c FROM otel_traces WHERE ServiceName = 'svc-1'";
  const queries = {
    http: [] as number[],
    direct: [] as number[],
    one: [] as number[],
    oneDirect: [] as number[],
  };
  for (let i = 0; i < SMALL; i++) {
    queries.direct.push(await timed(() => inProcess.queryAsync(small, { format: 'JSONEachRow' })));
    queries.http.push(
      await timed(async () => (await client.query({ query: small, format: 'JSONEachRow' })).json()),
    );
    queries.oneDirect.push(await timed(() => inProcess.queryAsync('SELECT 1', { format: 'JSONEachRow' })));
    queries.one.push(
      await timed(async () => (await client.query({ query: 'SELECT 1', format: 'JSONEachRow' })).json()),
    );
  }
  const line = (name: string, http: number[], own: number[]) => {
    const [a, b] = [median(http), median(own)];
    console.log(
      `${name.padEnd(34)} HTTP p50 ${a.toFixed(1).padStart(7)} ms  p95 ${quantile(http, 0.95).toFixed(1).padStart(7)} ms | in-process p50 ${b.toFixed(1).padStart(7)} ms | ratio ${(a / b).toFixed(2)}, +${(a - b).toFixed(1)} ms`,
    );
  };
  console.log(
    `${ROUNDS} blocks of ${ROWS} spans, ${(block.length / ROWS).toFixed(0)} bytes a row; ${SMALL} queries each`,
  );
  line(`insert of ${ROWS} rows`, inserts.http, inserts.direct);
  console.log(
    `${' '.repeat(34)} HTTP ${(ROWS / median(inserts.http)).toFixed(1)} k rows/s | in-process ${(ROWS / median(inserts.direct)).toFixed(1)} k rows/s`,
  );
  line('count of one service', queries.http, queries.direct);
  line('SELECT 1', queries.one, queries.oneDirect);
} finally {
  await client.close();
  await clickhouse.close();
  inProcess.close();
  await engine.remove();
  rmSync(folder, { recursive: true, force: true });
}

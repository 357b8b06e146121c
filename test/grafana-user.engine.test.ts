import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMPANY_VARIABLE, PERIOD_VARIABLE, QUERIES } from '../dashboards/grafana/queries.ts';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { post } from '../store/clickhouse/testing/http.ts';
import { temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { writtenOut } from './grafana-macros.ts';
import { temporaryFolder } from './harness.ts';

const ROOT = resolve(import.meta.dirname, '..');
const folder = temporaryFolder();
const dataDir = join(folder.path, 'clickhouse');
afterAll(() => folder.remove());

/** The user of deploy/grafana as the one that an engine without server lets in. */
const asOnlyUser = (xml: string): string =>
  xml
    .replace(/(<users>\s*)<grafana>([\s\S]*)<\/grafana>(\s*<\/users>)/, '$1<default>$2</default>$3')
    .replace(/<password [^>]*>/, '<password></password>')
    .replace('<profiles>', '<quotas><default></default></quotas><profiles><default></default>');

/** What became of each statement: `ok`, or the engine's error. */
async function run(config: string, statements: readonly string[]): Promise<string[]> {
  const script = `
    import { NativeConnection } from ${JSON.stringify(join(ROOT, 'store/clickhouse/engine/native.ts'))};
    const connection = new NativeConnection(process.argv[1], ['--config-file=' + process.argv[2]]);
    const results = [];
    for (const sql of JSON.parse(process.argv[3]))
      results.push(await connection.run(sql).then(() => 'ok', (error) => error.message));
    connection.close();
    process.stdout.write('\\nRESULTS ' + JSON.stringify(results));`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--input-type=module',
      '-e',
      script,
      join(dataDir, 'db'),
      config,
      JSON.stringify(statements),
    ],
    { maxBuffer: 1 << 26 },
  );
  return JSON.parse(stdout.split('\nRESULTS ')[1] ?? '[]') as string[];
}

/** What the history tells of. */
const SHOWN = ['exception', 'incident', 'readiness', 'watermark'];
const ENTITIES = [...SHOWN, 'assessment', 'dead-letter', 'message', 'obligation', 'setting'];

let config: string;
beforeAll(async () => {
  const engine = await temporaryEngine({ dataDir });
  const clickhouse = connectClickHouse(engine);
  await migrate(clickhouse);
  await clickhouse.close();
  const history = ENTITIES.map((entity, i) => `(${i}, now(), '${entity}', 'kim@example.com')`).join(', ');
  const { status } = await post(
    engine,
    {},
    `INSERT INTO incident_events (Seq, At, Entity, EntityId) VALUES ${history}`,
  );
  expect(status).toBe(200);
  await engine.stop();
  const users = join(folder.path, 'users.xml');
  config = join(folder.path, 'config.xml');
  writeFileSync(users, asOnlyUser(readFileSync(join(ROOT, 'deploy/grafana/clickhouse-user.xml'), 'utf8')));
  writeFileSync(config, `<clickhouse><users_config>${users}</users_config></clickhouse>`);
});

test('the user of Grafana may ask what the dashboard asks', async () => {
  const range = { from: '2026-05-01 07:00:00', to: '2026-05-01 11:00:00', periods: ['2026-05'] };
  const queries = [
    ...Object.values(QUERIES).map(({ sql }) => writtenOut(sql, range)),
    COMPANY_VARIABLE,
    PERIOD_VARIABLE,
  ];
  const results = await run(config, ['USE closewatch', 'SET max_execution_time = 65', ...queries]);
  expect(results).toEqual(results.map(() => 'ok'));
});

test('it sees of the history what the panels show, and nothing of people and settings', async () => {
  const seen = 'SELECT throwIf(arraySort(groupArray(toString(Entity))) !=';
  const results = await run(config, [
    'USE closewatch',
    `${seen} [${SHOWN.map((entity) => `'${entity}'`).join(', ')}]) FROM incident_events`,
    "SELECT throwIf(count() > 0) FROM incident_events WHERE Entity = 'setting' OR Seq >= 4",
  ]);
  expect(results).toEqual(['ok', 'ok', 'ok']);
});

test.each([
  'DROP TABLE incident_events',
  'TRUNCATE TABLE otel_traces',
  'INSERT INTO incident_events (Seq) VALUES (1)',
  'ALTER TABLE finance_events DELETE WHERE 1',
  'SELECT Data FROM finance_events',
  'SELECT SpanAttributes FROM otel_traces',
  'SELECT Actor FROM incident_events',
  'SELECT * FROM schema_migrations',
  "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
  'SET readonly = 0',
  'SET max_result_rows = 0',
  'SET max_memory_usage = 0',
  'SELECT number FROM numbers(100001)',
])('and not: %s', async (statement) => {
  const [, result] = await run(config, ['USE closewatch', statement]);
  expect(result).toMatch(/privileges|readonly|should not be changed|Limit for result exceeded|Cannot/);
});

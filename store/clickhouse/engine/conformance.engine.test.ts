import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TemporaryEngine, temporaryEngine } from '../testing/temporary.ts';

/**
 * What the unmodified client may rely on, on the embedded engine and (with CLOSEWATCH_TEST_CLICKHOUSE_URL, such as
 * http://default:secret@127.0.0.1:8123) on a server: one suite, so that the two stay the same.
 */
const SERVER = process.env.CLOSEWATCH_TEST_CLICKHOUSE_URL;

interface Address {
  readonly url: string;
  readonly username: string;
  readonly password: string;
}

function suite(address: () => Promise<Address>, release: () => Promise<void>) {
  const database = `closewatch_test_${randomUUID().replaceAll('-', '')}`;
  let client: ClickHouseClient;
  let zipped: ClickHouseClient;

  beforeAll(async () => {
    const common = { ...(await address()), log: { level: ClickHouseLogLevel.OFF } };
    const first = createClient(common);
    await first.command({ query: `CREATE DATABASE ${database} ENGINE = Atomic` });
    await first.close();
    client = createClient({ ...common, database });
    zipped = createClient({ ...common, database, compression: { request: true, response: true } });
    await client.command({ query: 'CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a' });
  });
  afterAll(async () => {
    await client?.command({ query: `DROP DATABASE IF EXISTS ${database}` });
    await client?.close();
    await zipped?.close();
    await release();
  });

  const rows = async (query: string, more: object = {}) =>
    await (await client.query({ query, format: 'JSONEachRow', ...more })).json();
  const code = async (work: Promise<unknown>): Promise<string | undefined> => {
    try {
      await work;
    } catch (error) {
      return (error as { code?: string }).code;
    }
    return undefined;
  };

  test('ping, by path and by query', async () => {
    expect(await client.ping()).toMatchObject({ success: true });
    expect(await client.ping({ select: true })).toMatchObject({ success: true });
  });

  test('parameters too long for a URL come in a form, as they are', async () => {
    const odd = [
      "it's",
      'a\\b',
      'tab\t',
      'line\nfeed',
      '\r\n--boundary--\r\n',
      'Content-Disposition: form-data',
      'ž漢',
      '',
    ];
    const values = [
      ...odd,
      ...Array.from({ length: 2_000 }, (_, i) => `docno:acme:BILL2026050${i}-${'x'.repeat(20)}`),
    ];
    const found = await rows('SELECT arrayJoin({values:Array(String)}) AS value, {word:String} AS word', {
      query_params: { values, word: odd.join('|') },
      use_multipart_params_auto: true,
    });
    expect(found).toEqual(values.map((value) => ({ value, word: odd.join('|') })));
    const missing = rows('SELECT {values:Array(UInt8)} AS v, {none:String}', {
      query_params: { values: [1] },
      use_multipart_params: true,
    });
    expect(await code(missing)).toBe('456');
  });

  test('inserts of values and of streams, in several formats, count what they wrote', async () => {
    const name = 'inserts';
    await client.command({
      query: `CREATE TABLE ${name} (a UInt64, b String) ENGINE = MergeTree ORDER BY a`,
    });
    const values = await client.insert({ table: name, values: [{ a: 1, b: 'x' }], format: 'JSONEachRow' });
    expect(values.summary?.written_rows).toBe('1');
    await client.insert({ table: name, values: [[2, 'y']], format: 'JSONCompactEachRow' });
    await client.insert({
      table: name,
      values: Readable.from(['3,"z"\n', '4,w\n'], { objectMode: false }),
      format: 'CSV',
    });
    await client.insert({ table: name, values: Readable.from([{ a: 5, b: 'v' }]), format: 'JSONEachRow' });
    await client.insert({ table: name, columns: ['a'], values: [{ a: 6 }], format: 'JSONEachRow' });
    await client.insert({
      table: name,
      columns: { except: ['b'] },
      values: [[7]],
      format: 'JSONCompactEachRow',
    });
    await client.insert({ table: name, values: [], format: 'JSONEachRow' });
    await client.command({ query: `INSERT INTO ${name} VALUES (8, 'u'), (9, upper('t'))` });
    await client.command({ query: `INSERT INTO ${name} SELECT 10, 's'` });
    expect(
      await rows(`SELECT b FROM ${name} ORDER BY a FORMAT JSONEachRow`.replace(' FORMAT JSONEachRow', '')),
    ).toEqual(['x', 'y', 'z', 'w', 'v', '', '', 'u', 'T', 's'].map((b) => ({ b })));
  });

  test('results in text and binary formats', async () => {
    const query = 'SELECT number AS n, toString(number) AS s FROM numbers(3)';
    const json = await (await client.query({ query, format: 'JSON' })).json<{ n: number }>();
    expect(json).toMatchObject({ rows: 3, meta: [{ name: 'n' }, { name: 's' }] });
    expect(await (await client.query({ query, format: 'CSVWithNames' })).text()).toBe(
      '"n","s"\n0,"0"\n1,"1"\n2,"2"\n',
    );
    const parquet = await bytesOf(client, `${query} FORMAT Parquet`);
    expect(parquet.subarray(0, 4).toString()).toBe('PAR1');
    await client.command({ query: 'CREATE TABLE p (n UInt64, s String) ENGINE = Memory' });
    const answer = await client.exec({
      query: 'INSERT INTO p FORMAT Parquet',
      values: Readable.from([parquet], { objectMode: false }),
    });
    await text(answer.stream);
    expect(await rows('SELECT count() AS c, sum(n) AS n FROM p')).toEqual([{ c: 3, n: 3 }]);
    const native = await bytesOf(client, `${query} FORMAT Native`);
    await text(
      (
        await client.exec({
          query: 'INSERT INTO p FORMAT Native',
          values: Readable.from([native], { objectMode: false }),
        })
      ).stream,
    );
    expect(await rows('SELECT count() AS c FROM p')).toEqual([{ c: 6 }]);
    expect(await text((await client.exec({ query: 'SELECT 1, 2' })).stream)).toBe('1\t2\n');
    expect(await (await client.query({ query: 'SHOW TABLES', format: 'TabSeparated' })).text()).toContain(
      't\n',
    );
    expect(await rows('DESCRIBE TABLE t')).toMatchObject([{ name: 'a' }, { name: 'b' }]);
    expect(await rows('EXISTS TABLE t')).toEqual([{ result: 1 }]);
  });

  test('a million rows stream, plain and zipped', async () => {
    for (const each of [client, zipped]) {
      const result = await each.query({
        query: 'SELECT number, toString(number) AS s FROM numbers(1000000)',
        format: 'JSONEachRow',
      });
      let [count, sum] = [0, 0];
      for await (const batch of result.stream<{ number: number }>()) {
        for (const row of batch) {
          sum += Number(row.json<{ number: number }>().number);
          count++;
        }
      }
      expect([count, sum]).toEqual([1_000_000, 499_999_500_000]);
    }
  });

  test('compressed requests and answers', async () => {
    const b = 'ä'.repeat(100_000);
    await zipped.insert({ table: 't', values: [{ a: 100, b }], format: 'JSONEachRow' });
    expect(
      await (await zipped.query({ query: 'SELECT b FROM t WHERE a = 100', format: 'JSONEachRow' })).json(),
    ).toEqual([{ b }]);
    expect(await code(zipped.query({ query: 'SELECT nope' }))).toBe('47');
  });

  test('parameters of all kinds, and none of them is SQL', async () => {
    const hostile = "a'; DROP TABLE t; --\n\n\t\\N\\'\0\u00e9";
    const params = {
      s: hostile,
      n: null,
      i: 18446744073709551615n,
      f: 1.5,
      d: '2026-05-31',
      t: '2026-05-31 17:00:00.123456789',
      arr: ['x', "y'z", '\n'],
      map: { k: hostile },
      b: true,
      id: 't',
      dec: '12345678901234567890.123456789',
    };
    const query = `SELECT {s:String} AS s, {n:Nullable(UInt8)} AS n, toString({i:UInt64}) AS i, {f:Float64} AS f,
      {d:Date} AS d, {t:DateTime64(9, 'UTC')} AS t, {arr:Array(String)} AS arr, {map:Map(String, String)} AS map,
      {b:Bool} AS b, toString({dec:Decimal(38, 9)}) AS dec, (SELECT count() FROM {id:Identifier}) >= 0 AS c`;
    expect(await rows(query, { query_params: params })).toEqual(
      [
        {
          ...params,
          i: '18446744073709551615',
          c: 1,
          id: undefined,
        },
      ].map(({ id: _, ...row }) => row),
    );
    expect(await code(client.query({ query: 'SELECT {missing:String}' }))).toBe('456');
  });

  test('parameters of parallel queries stay apart', async () => {
    const all = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        rows('SELECT {i:UInt32} AS i, sleep(0.01) AS z', { query_params: { i } }),
      ),
    );
    expect(all.map(([row]) => (row as { i: number }).i)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  test('a session keeps its temporary table, others do not see it', async () => {
    const session_id = randomUUID();
    const inside = { session_id };
    await client.command({ query: 'CREATE TEMPORARY TABLE tmp (x UInt8)', ...inside });
    await client.insert({ table: 'tmp', values: [{ x: 7 }], format: 'JSONEachRow', ...inside });
    expect(await rows('SELECT x FROM tmp', inside)).toEqual([{ x: 7 }]);
    expect(await code(client.query({ query: 'SELECT x FROM tmp' }))).toBe('60');
    expect(await code(client.query({ query: 'SELECT x FROM tmp', session_id: randomUUID() }))).toBe('60');
    const plain = createClient({ ...(await address()), log: { level: ClickHouseLogLevel.OFF } });
    const current = { query: 'SELECT currentDatabase() AS name', ...inside, format: 'JSONEachRow' } as const;
    await plain.command({ query: 'USE system', ...inside });
    expect(await (await plain.query(current)).json()).toEqual([{ name: 'system' }]);
    await plain.close();
    await client.command({ query: 'SET max_block_size = 777', ...inside });
    const setting = "SELECT value FROM system.settings WHERE name = 'max_block_size'";
    expect(await rows(setting, { ...inside, clickhouse_settings: { max_block_size: '555' } })).toEqual([
      { value: '555' },
    ]);
    expect(await rows(setting, inside)).toEqual([{ value: '777' }]);
  });

  test('settings end with their request', async () => {
    const setting = "SELECT value, changed FROM system.settings WHERE name = 'max_threads'";
    const before = await rows(setting);
    expect(await rows(setting, { clickhouse_settings: { max_threads: 7 } })).toEqual([
      { value: '7', changed: 1 },
    ]);
    expect(await rows(setting)).toEqual(before);
    expect(
      await code(
        client.command({
          query: 'CREATE TABLE no (a UInt8) ENGINE = Memory',
          clickhouse_settings: { readonly: '1' },
        }),
      ),
    ).toBe('164');
    await client.command({ query: 'CREATE TABLE yes (a UInt8) ENGINE = Memory' });
    expect(
      await code(
        client.query({ query: 'SELECT 1', clickhouse_settings: { nonsense: 1 } as Record<string, number> }),
      ),
    ).toBe('115');
  });

  test('the query id is the one that was asked for', async () => {
    const query_id = `closewatch-${randomUUID()}`;
    expect((await client.query({ query: 'SELECT 1', query_id })).query_id).toBe(query_id);
    expect((await client.command({ query: 'SELECT 1' })).query_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('an aborted query is killed', async () => {
    const mark = `mark_${randomUUID().replaceAll('-', '')}`;
    const running = `SELECT count() AS c FROM system.processes WHERE query LIKE '%${mark}%' AND query NOT LIKE '%processes%'`;
    const stop = new AbortController();
    const query = client.query({
      query: `SELECT sleepEachRow(0.1) AS ${mark} FROM numbers(1000)`,
      clickhouse_settings: { max_block_size: '1', cancel_http_readonly_queries_on_client_close: 1 },
      abort_signal: stop.signal,
    });
    const outcome = query.catch((error: Error) => error);
    await expect.poll(() => rows(running), { timeout: 30_000 }).toEqual([{ c: 1 }]);
    stop.abort();
    expect(await outcome).toBeInstanceOf(Error);
    await expect.poll(() => rows(running), { timeout: 30_000 }).toEqual([{ c: 0 }]);
  });

  test('max_execution_time ends a query', async () => {
    const slow = client.query({
      query: 'SELECT sleepEachRow(0.1) FROM numbers(1000)',
      clickhouse_settings: { max_execution_time: 1, max_block_size: '1' },
    });
    expect(await code(slow)).toBe('159');
  });

  test.each([
    ['SELECT nope', '47'],
    ['SELECT', '62'],
    ['SELECT * FROM nope', '60'],
    ['SELECT nope()', '46'],
    ['SELECT 1; SELECT 2', '62'],
    ['SELECT throwIf(1)', '395'],
  ])('%s has code %s', async (query, expected) => expect(await code(client.exec({ query }))).toBe(expected));

  test('a database that is none, rows that do not fit', async () => {
    const other = createClient({
      ...(await address()),
      database: 'nope',
      log: { level: ClickHouseLogLevel.OFF },
    });
    expect(await code(other.exec({ query: 'SELECT 1' }))).toBe('81');
    await other.close();
    const bad = client.insert({
      table: 't',
      values: Readable.from(['x\n'], { objectMode: false }),
      format: 'CSV',
    });
    expect(Number(await code(bad))).toBeGreaterThan(0);
  });

  test('an error in mid-stream is an error, and the rows before it are right', async () => {
    for (const each of [client, zipped]) {
      const result = await each.query({
        query: 'SELECT number AS n, throwIf(number = 900000) AS z FROM numbers(1000000)',
        format: 'JSONEachRow',
        clickhouse_settings: { max_block_size: '1000', max_threads: 1 },
      });
      let [next, wrong] = [0, 0];
      const read = async () => {
        for await (const batch of result.stream<{ n: number }>()) {
          for (const row of batch) if (Number(row.json<{ n: number }>().n) !== next++) wrong++;
        }
      };
      const failure = await read().catch((error: Error) => error);
      expect(failure).toBeInstanceOf(Error);
      // The client finds the exception's code when it comes in one piece, of which no compression can be sure.
      if (each === client) expect(failure).toMatchObject({ code: '395' });
      expect(next).toBeGreaterThan(1000);
      expect(wrong).toBe(0);
    }
  });
}

async function bytesOf(client: ClickHouseClient, query: string): Promise<Buffer> {
  const { stream } = await client.exec({ query });
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('the embedded engine', () => {
  let engine: Promise<TemporaryEngine> | undefined;
  suite(
    async () => {
      engine ??= temporaryEngine();
      const { url, username, password } = await engine;
      return { url, username, password };
    },
    async () => await (await engine)?.remove(),
  );
});

describe.skipIf(!SERVER)(
  'a ClickHouse server (skipped unless CLOSEWATCH_TEST_CLICKHOUSE_URL names one)',
  () => {
    const url = URL.parse(SERVER ?? '') ?? new URL('http://default@127.0.0.1:8123');
    suite(
      async () => ({
        url: url.origin,
        username: url.username || 'default',
        password: decodeURIComponent(url.password),
      }),
      async () => undefined,
    );
  },
);

import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type ClickHouse, connectClickHouse } from './client.ts';
import { defineLookup } from './query.ts';
import { type TemporaryEngine, temporaryEngine } from './testing/temporary.ts';

let engine: TemporaryEngine;
let clickhouse: ClickHouse;
beforeAll(async () => {
  engine = await temporaryEngine();
  clickhouse = connectClickHouse(engine);
});
afterAll(async () => {
  await clickhouse.close();
  await engine.remove();
});

const echo = defineLookup({
  name: 'test.echo',
  sql: 'SELECT arrayJoin({texts:Array(String)}) AS text, {one:String} AS one, toUInt64({n:UInt64}) AS n',
  params: z.object({ texts: z.array(z.string()), one: z.string(), n: z.int() }),
  row: z.object({ text: z.string(), one: z.string(), n: z.string() }),
});
const HOSTILE = [
  "a'b",
  'a\\',
  "\\'",
  'tab\tnew\nline\r',
  '\0\b',
  'ü 漢 😀',
  "'); DROP TABLE x --",
  '{x:String}',
  '',
];

test('takes any text as a parameter, as it is', async () => {
  for (const one of HOSTILE) {
    const rows = await clickhouse.query(echo, { texts: HOSTILE, one, n: 7 });
    expect(rows).toEqual(HOSTILE.map((text) => ({ text, one, n: '7' })));
  }
  expect(await clickhouse.query(echo, { texts: [], one: '', n: 1 })).toEqual([]);
});

test('parameters that are too long for an address go the usual way', async () => {
  const texts = Array.from({ length: 2_000 }, (_, i) => `key ${i} ${'x'.repeat(20)}`);
  const rows = await clickhouse.query(echo, { texts, one: 'o', n: 1 });
  expect(rows.map(({ text }) => text)).toEqual(texts);
});

test('a result that is too large for memory at once comes the usual way', async () => {
  const many = defineLookup({
    name: 'test.many',
    sql: "SELECT toString(number) AS n, repeat('x', 1000) AS text FROM numbers(20000)",
    params: z.object({}),
    row: z.object({ n: z.string(), text: z.string() }),
  });
  const rows = await clickhouse.query(many, {});
  expect([rows.length, rows[0]?.n, rows.at(-1)?.n]).toEqual([20_000, '0', '19999']);
});

test('fails as other queries do, also behind its first rows', async () => {
  const sql = 'SELECT throwIf(number = {n:UInt64}) AS failed FROM numbers(100000)';
  const failing = defineLookup({
    name: 'test.failing',
    sql,
    params: z.object({ n: z.int() }),
    row: z.object({ failed: z.number() }),
  });
  const failure = { code: 'engine.failed', message: expect.stringContaining('ClickHouse 395') };
  await expect(clickhouse.query(failing, { n: 0 })).rejects.toMatchObject(failure);
  await expect(clickhouse.query(failing, { n: 99_999 })).rejects.toMatchObject(failure);
  const gone = { url: 'http://127.0.0.1:9', database: 'x' };
  const signal = AbortSignal.timeout(120);
  const nobody = connectClickHouse(gone);
  await expect(nobody.query(failing, { n: 1 }, { signal })).rejects.toMatchObject({
    code: 'engine.unavailable',
  });
  await nobody.close();
});

test('wrong credentials are refused', async () => {
  const stranger = connectClickHouse({
    url: engine.url,
    username: engine.username,
    password: 'guess',
    database: engine.database,
  });
  await expect(stranger.query(echo, { texts: ['a'], one: '', n: 1 })).rejects.toMatchObject({
    code: 'engine.failed',
    message: expect.stringContaining('ClickHouse 516'),
  });
  await stranger.close();
});

test('stops when nobody waits any more', async () => {
  const slow = defineLookup({
    name: 'test.slow',
    sql: 'SELECT sleepEachRow(1) AS slept FROM numbers(60)',
    params: z.object({}),
    row: z.object({ slept: z.number() }),
  });
  const started = performance.now();
  await expect(clickhouse.query(slow, {}, { signal: AbortSignal.timeout(200) })).rejects.toThrow();
  expect(performance.now() - started).toBeLessThan(10_000);
});

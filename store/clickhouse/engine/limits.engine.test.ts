import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { post } from '../testing/http.ts';
import { type TemporaryEngine, temporaryEngine } from '../testing/temporary.ts';

/** What the engine refuses, and how it says so. */
let engine: TemporaryEngine;
const MIB = 1024 * 1024;

beforeAll(async () => {
  engine = await temporaryEngine({ maxConcurrency: 2, maxQueue: 2, maxBodyBytes: 4 * MIB });
  await post(engine, {}, 'CREATE TABLE t (s String) ENGINE = MergeTree ORDER BY tuple()');
});
afterAll(async () => await engine.remove());

const code = (answer: { headers: Headers }) => answer.headers.get('x-clickhouse-exception-code');

describe('who asks', () => {
  const ask = async (headers: Record<string, string>, search: Record<string, string> = {}) => {
    const answer = await fetch(`${engine.url}/?${new URLSearchParams({ query: 'SELECT 1', ...search })}`, {
      headers,
    });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  const basic = (user: string, password: string) => ({
    Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  });

  test('user and password in any of the three ways', async () => {
    const { username, password } = engine;
    expect((await ask(basic(username, password))).text).toBe('1\n');
    expect((await ask({ 'X-ClickHouse-User': username, 'X-ClickHouse-Key': password })).text).toBe('1\n');
    expect((await ask({}, { user: username, password })).text).toBe('1\n');
  });

  test.each([
    ['nobody', {}, {}],
    ['a wrong password', { Authorization: `Basic ${Buffer.from('closewatch:no').toString('base64')}` }, {}],
    ['no password', { 'X-ClickHouse-User': 'closewatch' }, {}],
    ['another user', {}, { user: 'default', password: '' }],
  ])('%s is refused before anything is read', async (_, headers, search) => {
    const answer = await ask(headers, search);
    expect([answer.status, code(answer)]).toEqual([403, '516']);
    expect(answer.text).toMatch(
      /^Code: 516\. DB::Exception: .*Authentication failed.*\(AUTHENTICATION_FAILED\)/,
    );
  });

  test('ping needs no password and tells nothing', async () => {
    expect(await (await fetch(`${engine.url}/ping`)).text()).toBe('Ok.\n');
    expect((await fetch(`${engine.url}/play`)).status).toBe(404);
    expect((await fetch(engine.url, { method: 'DELETE' })).status).toBe(405);
  });
});

describe('bodies', () => {
  test('up to the limit, and not past it, also when they are small while zipped', async () => {
    const insert = { query: 'INSERT INTO t FORMAT RawBLOB' };
    expect((await post(engine, insert, Buffer.alloc(4 * MIB, 'a'))).text).toBe('');
    expect(code(await post(engine, insert, Buffer.alloc(4 * MIB + 1, 'a')))).toBe('307');
    const bomb = gzipSync(Buffer.alloc(64 * MIB));
    expect(bomb.length).toBeLessThan(MIB);
    const zipped = await post(engine, insert, bomb, { headers: { 'Content-Encoding': 'gzip' } });
    expect([zipped.status, code(zipped)]).toEqual([413, '307']);
    expect((await post(engine, {}, 'SELECT count() FROM t')).text).toBe('1\n');
  });

  test('broken or unknown encodings', async () => {
    const insert = { query: 'INSERT INTO t FORMAT RawBLOB' };
    // Now before and now after somebody reads: so often that both happen.
    for (let i = 0; i < 50; i++) {
      const broken = await post(engine, insert, 'no gzip', { headers: { 'Content-Encoding': 'gzip' } });
      expect(broken.status).toBeGreaterThanOrEqual(400);
    }
    const cut = gzipSync(Buffer.from('x'.repeat(1000))).subarray(0, 20);
    expect(
      (await post(engine, insert, cut, { headers: { 'Content-Encoding': 'gzip' } })).status,
    ).toBeGreaterThanOrEqual(400);
    const lzma = await post(engine, insert, 'x', { headers: { 'Content-Encoding': 'xz' } });
    expect([lzma.status, code(lzma)]).toEqual([415, '48']);
    expect((await post(engine, {}, 'SELECT count() FROM t')).text).toBe('1\n');
  });

  test('a query text of more than a MiB needs max_query_size', async () => {
    const sql = `SELECT length('${'x'.repeat(1.5 * MIB)}')`;
    expect(code(await post(engine, {}, sql))).toBe('62');
    expect((await post(engine, { max_query_size: String(2 * MIB) }, sql)).text).toBe(`${1.5 * MIB}\n`);
  });
});

const PATIENT = { timeout: 30_000 };

/** A query that ends only when it is stopped. */
function endless(search: Record<string, string> = {}) {
  const stop = new AbortController();
  const sql = 'SELECT sleepEachRow(0.05) AS endless FROM numbers(100000)';
  const { signal } = stop;
  const done = post(engine, { ...search, max_block_size: '1' }, sql, { signal }).catch(() => undefined);
  return {
    stop: async () => {
      stop.abort();
      await done;
    },
  };
}

test('past slots and queue: code 202, and all that waited is answered', async () => {
  const busy = [endless(), endless()];
  const waiting: ReturnType<typeof post>[] = [];
  let refused: Awaited<ReturnType<typeof post>> | undefined;
  // One by one, until one is refused: then two are busy and at least two others wait.
  while (!refused) {
    const asked = post(engine, {}, 'SELECT 1');
    const answer = await Promise.race([asked, sleep(100)]);
    if (!answer) waiting.push(asked);
    else if (answer.status === 503) refused = answer;
  }
  expect(code(refused)).toBe('202');
  expect(refused.text).toContain('TOO_MANY_SIMULTANEOUS_QUERIES');
  for (const query of busy) await query.stop();
  // One that came late may have been refused as well.
  const answers = await Promise.all(waiting);
  expect(answers.filter(({ text }) => text === '1\n').length).toBeGreaterThanOrEqual(2);
  expect(answers.filter(({ text }) => text !== '1\n').every((answer) => code(answer) === '202')).toBe(true);
});

test.each([
  [{ client_protocol_version: '54460' }, 'SELECT 1 FORMAT Native'],
  [{ compress: '1' }, 'SELECT 1'],
  [{}, 'SELECT 1; SELECT 2'],
])('what is not supported is refused: %j %s', async (search, sql) => {
  const answer = await post(engine, search as Record<string, string>, sql);
  expect(['48', '62']).toContain(code(answer));
});

test('a protocol version hurts no other format', async () => {
  expect((await post(engine, { client_protocol_version: '54460' }, 'SELECT 1')).text).toBe('1\n');
});

describe('deadlines', () => {
  const endless = 'SELECT sleepEachRow(0.05) FROM numbers(100000)';
  test('of the request', async () => {
    const answer = await post(engine, { max_execution_time: '0.3', max_block_size: '1' }, endless);
    expect(answer.text).toContain('TIMEOUT_EXCEEDED');
  });
  test('no request is without', async () => {
    const limit = "SELECT getSetting('max_execution_time')";
    expect((await post(engine, {}, limit)).text).toBe('300\n');
    expect((await post(engine, { max_execution_time: '0' }, limit)).text).toBe('300\n');
    expect((await post(engine, { max_execution_time: '99999' }, limit)).text).toBe('300\n');
    expect((await post(engine, { max_execution_time: '7' }, limit)).text).toBe('7\n');
    expect(code(await post(engine, {}, 'SELECT 1 SETTINGS max_execution_time = 0'))).toBe('452');
  });
});

describe('sessions', () => {
  test('one request at a time', async () => {
    const session = { session_id: 'a', session_timeout: '60' };
    const busy = endless(session);
    const running =
      "SELECT count() FROM system.processes WHERE query LIKE '%endless%' AND query NOT LIKE '%processes%'";
    await expect.poll(async () => (await post(engine, {}, running)).text, PATIENT).toBe('1\n');
    expect(code(await post(engine, session, 'SELECT 1'))).toBe('373');
    await busy.stop();
    const again = { ...session, session_check: '1' };
    await expect.poll(async () => (await post(engine, again, 'SELECT 1')).text, PATIENT).toBe('1\n');
  });

  test('unknown ones on request only; they end', async () => {
    const session = { session_id: 'short', session_timeout: '1' };
    const known = { ...session, session_check: '1' };
    expect(code(await post(engine, known, 'SELECT 1'))).toBe('372');
    expect((await post(engine, session, 'SELECT 1')).text).toBe('1\n');
    // Each look lets it live on, so looks lie further apart than it lives.
    await expect
      .poll(async () => code(await post(engine, known, 'SELECT 1')), { ...PATIENT, interval: 1500 })
      .toBe('372');
    expect(code(await post(engine, { session_id: 'a', session_timeout: '999999' }, 'SELECT 1'))).toBe('374');
  });

  test('an error in a session leaves nothing for its next query', async () => {
    const session = { session_id: 'b', max_block_size: '1000' };
    const bad = await post(engine, session, "SELECT 'old', throwIf(number = 90000) FROM numbers(100000)");
    expect(bad.text).toContain('395');
    expect((await post(engine, { session_id: 'b' }, "SELECT 'new'")).text).toBe('new\n');
  });
});

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type ClickHouse, connectClickHouse } from '../client.ts';
import { defineQuery } from '../query.ts';
import { post } from '../testing/http.ts';
import { bodiesFolder, bodiesOf, temporaryEngine } from '../testing/temporary.ts';
import { startEngine } from './supervisor.ts';

/** How the engine's process begins, ends and begins again. */
const folders: string[] = [];
const temporary = () => {
  const folder = mkdtempSync(join(tmpdir(), 'closewatch-engine-'));
  folders.push(folder);
  return folder;
};
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A zombie, whose parent has not asked for its end yet, is dead. */
const isAlive = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).at(0) !== 'Z';
  } catch {
    return false;
  }
};

const PATIENT = { timeout: 30_000 };
type Address = Parameters<typeof post>[0];
/** Waits until the engine runs a query whose text has the mark. */
const runs = async (engine: Address, mark: string) => {
  const sql = `SELECT count() FROM system.processes WHERE query LIKE '%${mark}%' AND query NOT LIKE '%system.processes%'`;
  await expect.poll(async () => (await post(engine, {}, sql)).text, PATIENT).toBe('1\n');
};

const count = defineQuery({
  name: 'test.count',
  sql: 'SELECT count() AS rows, uniqExact(batch) AS batches FROM {table:Identifier}',
  params: z.object({ table: z.string() }),
  row: z.object({ rows: z.coerce.number(), batches: z.coerce.number() }),
});

test('reopens its data on the same folder with another port and password', async () => {
  const dataDir = temporary();
  const first = await startEngine({ dataDir });
  await post(first, {}, 'CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a');
  await post(first, {}, 'INSERT INTO t VALUES (1), (2)');
  const inDefault = 'CREATE TABLE d (a UInt8) ENGINE = MergeTree ORDER BY a';
  expect((await post(first, { database: 'default' }, inDefault)).text).toBe('');
  await first.stop();
  const second = await startEngine({ dataDir });
  expect(second.password).not.toBe(first.password);
  expect((await post(second, {}, 'SELECT sum(a) FROM t')).text).toBe('3\n');
  expect((await post(second, {}, "SELECT engine FROM system.databases WHERE name = 'closewatch'")).text).toBe(
    'Atomic\n',
  );
  // What was made in `default` is gone, and does not stand in the way.
  expect((await post(second, { database: 'default' }, inDefault)).text).toBe('');
  expect((await post(second, {}, 'EXISTS TABLE default.`/etc/hostname`')).text).toBe('0\n');
  await second.stop();
});

test('a second engine on a folder in use says so and hurts nothing', async () => {
  const engine = await temporaryEngine();
  await post(engine, {}, 'CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a');
  await expect(startEngine({ dataDir: engine.dataDir })).rejects.toMatchObject({
    code: 'data-dir.locked',
    message: expect.stringContaining(String(engine.pid)),
  });
  expect((await post(engine, {}, 'INSERT INTO t VALUES (1)')).text).toBe('');
  expect((await post(engine, {}, 'SELECT count() FROM t')).text).toBe('1\n');
  await engine.remove();
});

test('is started again when it is killed, at the same address, and clients with retries do not notice', async () => {
  const engine = await temporaryEngine();
  const clickhouse = connectClickHouse(engine);
  const ends: unknown[] = [];
  engine.onExit((end) => ends.push(end));
  await clickhouse.command('CREATE TABLE t (batch UInt64) ENGINE = MergeTree ORDER BY batch');
  const { pid, url, password } = engine;
  process.kill(pid!, 'SIGKILL');
  await clickhouse.insertRows('t', [{ batch: 1 }], { token: 'a' });
  expect(await clickhouse.query(count, { table: 't' })).toEqual([{ rows: 1, batches: 1 }]);
  await expect.poll(() => engine.restarts, PATIENT).toBe(1);
  expect(engine).toMatchObject({ url, password });
  expect(engine.pid).not.toBe(pid);
  expect(ends).toEqual([{ code: null, signal: 'SIGKILL' }]);
  await clickhouse.close();
  await engine.remove();
});

test('is restarted above its memory limit', async () => {
  const engine = await temporaryEngine({ hardMemoryBytes: 1 });
  const { pid } = engine;
  await expect.poll(() => engine.restarts, { timeout: 30_000, interval: 200 }).toBeGreaterThan(0);
  expect(engine.pid).not.toBe(pid);
  await engine.remove();
});

test('stop lets a running insert end, refuses new ones, and ends with code 0', async () => {
  const engine = await temporaryEngine();
  await post(engine, {}, 'CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a');
  const end = new Promise((resolve) => engine.onExit(resolve));
  const slow = post(
    engine,
    { max_block_size: '1' },
    'INSERT INTO t SELECT sleepEachRow(0.2) + number FROM numbers(20)',
  );
  await runs(engine, 'sleepEachRow');
  process.kill(engine.pid!, 'SIGTERM');
  // Refused by the engine, or not even connected to.
  const ping = () =>
    fetch(`${engine.url}/ping`).then(
      ({ status }) => status,
      () => 503,
    );
  await expect.poll(ping, { ...PATIENT, interval: 20 }).toBe(503);
  const late = await post(engine, {}, 'INSERT INTO t VALUES (100)').catch(() => ({ status: 503 }));
  expect(late.status).toBe(503);
  expect((await slow).text).toBe('');
  expect(await end).toEqual({ code: 0, signal: null });
  await expect.poll(() => engine.restarts, PATIENT).toBe(1);
  expect((await post(engine, {}, 'SELECT count() FROM t')).text).toBe('20\n');
  await engine.remove();
});

test('what will not end is killed when the drain is over', async () => {
  const engine = await temporaryEngine({ drainMs: 300 });
  const endless = post(engine, { max_block_size: '1' }, 'SELECT sleepEachRow(0.1) FROM numbers(10000)').catch(
    () => 'cut',
  );
  await runs(engine, 'sleepEachRow');
  // Ends long before the query would, or never.
  await engine.remove();
  await endless;
});

test('behind a crash inside of chDB the process ends, and does not refuse everything for minutes', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'closewatch-engine-'));
  const module = (name: string) => JSON.stringify(join(import.meta.dirname, name));
  // The engine's guard refuses what is known to crash: here it is sent past it.
  const script = `
    import { NativeConnection } from ${module('native.ts')};
    import { runEngine } from ${module('server.ts')};
    const engine = await runEngine({ dataDir: process.argv[1], password: 'secret' });
    const connection = new NativeConnection(process.argv[1] + '/db', []);
    void connection.run("SELECT * FROM viewExplain('EXPLAIN TABLE OVERRIDE', '', (SELECT 1))").catch(() => undefined);
    const ask = () => fetch(engine.url + '/?query=SELECT+1&user=closewatch&password=secret');
    for (;;) await ask().then((answer) => answer.text());`;
  const argv = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script, dataDir];
  const child = spawn(process.execPath, argv, { stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGTERM'), 30_000);
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  clearTimeout(timer);
  rmSync(bodiesFolder(dataDir), { recursive: true, force: true });
  rmSync(dataDir, { recursive: true, force: true });
  expect(signal).toBe('SIGKILL');
}, 60_000);

describe('with a parent of its own', () => {
  const SCRIPT = `
    import { startEngine } from ${JSON.stringify(new URL('./supervisor.ts', import.meta.url).href)};
    const engine = await startEngine({ dataDir: process.argv[2] });
    console.log(JSON.stringify({ pid: engine.pid, url: engine.url, username: engine.username, password: engine.password }));
  `;
  const parents: ChildProcess[] = [];
  afterAll(() => {
    for (const parent of parents) parent.kill('SIGKILL');
  });

  async function startInParent(dataDir: string) {
    const script = join(temporary(), 'parent.ts');
    writeFileSync(script, SCRIPT);
    const parent = spawn(process.execPath, [script, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
    parents.push(parent);
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    return { parent, child: JSON.parse(line.toString()) as Address & { pid: number } };
  }

  test('it ends when its parent is killed, also in the middle of a query, and the folder is free', async () => {
    const dataDir = temporary();
    const { parent, child } = await startInParent(dataDir);
    expect(isAlive(child.pid)).toBe(true);
    void post(child, { max_block_size: '1' }, 'SELECT sleepEachRow(0.1) FROM numbers(10000)').catch(
      () => undefined,
    );
    await runs(child, 'sleepEachRow');
    parent.kill('SIGKILL');
    await expect.poll(() => isAlive(child.pid), PATIENT).toBe(false);
    expect(existsSync(bodiesFolder(dataDir))).toBe(false);
    const next = await startEngine({ dataDir });
    expect((await post(next, {}, 'SELECT 1')).text).toBe('1\n');
    await next.stop();
  });

  test('a start right behind the death of the parent waits for a query that cannot be stopped', async () => {
    const dataDir = temporary();
    const { parent, child } = await startInParent(dataDir);
    // Constants, which ClickHouse computes before it looks whether the query was killed: half a minute of them.
    const terms = [1, 2, 3, 4, 5, 6, 7, 8].map((i) => `arrayMax(x -> sipHash64(x, ${i}), range(40000000))`);
    const busy = `SELECT ${terms.join(' + ')}`;
    void post(child, {}, busy).catch(() => undefined);
    await runs(child, 'arrayMax');
    parent.kill('SIGKILL');
    const next = await startEngine({ dataDir });
    expect(isAlive(child.pid)).toBe(false);
    expect((await post(next, {}, 'SELECT 1')).text).toBe('1\n');
    await next.stop();
    expect(existsSync(bodiesFolder(dataDir))).toBe(false);
  });

  test('a token without rows is forgotten, also when another process has the dead one’s number', async () => {
    const dataDir = temporary();
    const { parent, child } = await startInParent(dataDir);
    const clickhouse = connectClickHouse({ ...child, database: 'closewatch' });
    const window = 'SETTINGS non_replicated_deduplication_window = 100';
    await clickhouse.command(`CREATE TABLE t (batch UInt64) ENGINE = MergeTree ORDER BY batch ${window}`);
    await clickhouse.insertRows('t', [{ batch: 1 }], { token: 'one' });
    await clickhouse.close();
    const path = (await post(child, {}, "SELECT path FROM system.parts WHERE table = 't' FORMAT TSVRaw"))
      .text;
    rmSync(path.trim(), { recursive: true });
    parent.kill('SIGKILL');
    process.kill(child.pid, 'SIGKILL');
    await expect.poll(() => isAlive(child.pid), PATIENT).toBe(false);
    const status = join(dataDir, 'db', 'status');
    writeFileSync(status, readFileSync(status, 'utf8').replace(/PID: \d+/, `PID: ${process.pid}`));
    const next = await startEngine({ dataDir });
    const again = connectClickHouse(next);
    await again.insertRows('t', [{ batch: 1 }], { token: 'one' });
    expect(await again.query(count, { table: 't' })).toEqual([{ rows: 1, batches: 1 }]);
    await again.close();
    await next.stop();
  });
});

describe('kill -9 during inserts', () => {
  const ROWS = 500;
  /** Native: one column `batch UInt64` with ROWS times the number. */
  const block = (batch: number): Buffer => {
    const rows = new BigUint64Array(ROWS).fill(BigInt(batch));
    const head = [1, (ROWS & 127) | 128, ROWS >> 7, 5, ...Buffer.from('batch'), 6, ...Buffer.from('UInt64')];
    return Buffer.concat([Buffer.from(head), Buffer.from(rows.buffer)]);
  };
  const perBatch = defineQuery({
    name: 'test.per-batch',
    sql: 'SELECT batch, count() AS rows FROM {table:Identifier} GROUP BY batch HAVING rows != 500',
    params: z.object({ table: z.string() }),
    row: z.object({ batch: z.string(), rows: z.string() }),
  });

  /** As a sender does: again, with the same token, as long as the engine is away. */
  async function untilStored(insert: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await insert();
      } catch (error) {
        if ((error as { code?: string }).code !== 'engine.unavailable') throw error;
      }
    }
  }

  async function insertUntil(clickhouse: ClickHouse, from: number, stop: () => boolean, acked: number[]) {
    for (let batch = from; !stop(); batch += 3) {
      await untilStored(() =>
        clickhouse.insertNative('base', ['batch'], block(batch), { token: `batch:${batch}` }),
      );
      acked.push(batch);
    }
  }

  test('nothing acknowledged is lost, each batch is there once, the view holds what its table holds', async () => {
    const engine = await temporaryEngine();
    const clickhouse = connectClickHouse(engine);
    const window = 'SETTINGS non_replicated_deduplication_window = 10000';
    await clickhouse.command(`CREATE TABLE base (batch UInt64) ENGINE = MergeTree ORDER BY batch ${window}`);
    await clickhouse.command(
      `CREATE TABLE derived (batch UInt64) ENGINE = MergeTree ORDER BY batch ${window}`,
    );
    await clickhouse.command('CREATE MATERIALIZED VIEW derived_mv TO derived AS SELECT batch FROM base');
    const acked: number[] = [];
    let done = false;
    const writers = [0, 1, 2].map((from) => insertUntil(clickhouse, from, () => done, acked));
    const more = async (count: number) => {
      const goal = acked.length + count;
      await expect.poll(() => acked.length, { timeout: 30_000, interval: 10 }).toBeGreaterThanOrEqual(goal);
    };
    for (let cycle = 0; cycle < 5; cycle++) {
      await more(5);
      const before = engine.restarts;
      process.kill(engine.pid!, 'SIGKILL');
      await expect.poll(() => engine.restarts, { timeout: 30_000 }).toBeGreaterThan(before);
    }
    await more(5);
    done = true;
    await Promise.all(writers);
    const expected = [{ rows: acked.length * ROWS, batches: acked.length }];
    expect(await clickhouse.query(perBatch, { table: 'base' })).toEqual([]);
    expect(await clickhouse.query(count, { table: 'base' })).toEqual(expected);
    expect(await clickhouse.query(count, { table: 'derived' })).toEqual(expected);
    expect(bodiesOf(engine.dataDir)).toEqual([]);
    await clickhouse.close();
    await engine.remove();
    expect(existsSync(engine.dataDir)).toBe(false);
  });
});

/**
 * What sharing one PGlite costs: queries through `openPostgres` (a real pg.Pool, the wire protocol, a worker thread) beside
 * PGlite called directly in this process, and jobs through the queues on each back end that is there. In one run, so that
 * the machine is the same. `node bench/postgres.ts [queries] [jobs]` prints a table; Redis and PostgreSQL are tried at
 * their usual ports of this machine.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { Redis } from 'ioredis';
import { openPostgres, type Postgres } from '../store/postgres/database.ts';
import { backEnds } from '../store/postgres/testing/back-ends.ts';
import { openQueues } from '../store/queue/queues.ts';

const [queries = 2_000, jobs = 1_000] = process.argv.slice(2).map(Number);
const ROUNDS = 3;
const REDIS = 'redis://127.0.0.1:6379';
const ignore = (): void => {};
const logger = { error: console.error, warn: console.warn, info: ignore, debug: ignore };

type Ask = (sql: string, values: unknown[]) => Promise<unknown>;
const SMALL = 'SELECT $1::int AS n';
const INSERT = 'INSERT INTO bench_rows (text) VALUES ($1)';
const TABLE = 'CREATE TABLE bench_rows (id bigint GENERATED ALWAYS AS IDENTITY, text text NOT NULL)';

/** Milliseconds for `count` questions with `lanes` under way at a time: the best of three rounds. */
async function measure(ask: Ask, sql: string, lanes: number, count = queries): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    let left = count;
    const begun = performance.now();
    const lane = async () => {
      while (left-- > 0) await ask(sql, [left]);
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    best = Math.min(best, performance.now() - begun);
  }
  return best;
}

const CASES = [
  { what: 'SELECT, one after the other', sql: SMALL, lanes: 1 },
  { what: 'SELECT, 16 at a time', sql: SMALL, lanes: 16 },
  { what: 'INSERT, one after the other', sql: INSERT, lanes: 1 },
] as const;

async function queryTimes(ask: Ask): Promise<number[]> {
  await ask(TABLE, []);
  const times: number[] = [];
  for (const { sql, lanes } of CASES) times.push(await measure(ask, sql, lanes));
  return times;
}

/** Jobs a second: added in one call, worked eight at a time. */
async function jobRate(
  postgres: Postgres | undefined,
  redisUrl?: string,
): Promise<{ add: number; work: number }> {
  const prefix = `closewatch-bench-${process.pid}`;
  const queues = await openQueues({ postgres: postgres as Postgres, redisUrl, prefix }, { logger });
  const list = Array.from({ length: jobs }, (_, n) => ({ name: 'job', data: { n } }));
  const begun = performance.now();
  await queues.queue('bench').addBulk(list);
  const added = performance.now();
  const done = Promise.withResolvers<void>();
  let left = jobs;
  await queues.work('bench', async () => void (--left === 0 && done.resolve()), { concurrency: 8 });
  await done.promise;
  const worked = performance.now();
  await queues.queue('bench').obliterate({ force: true });
  await queues.close();
  return { add: (jobs / (added - begun)) * 1000, work: (jobs / (worked - added)) * 1000 };
}

const perSecond = (ms: number) => Math.round((queries / ms) * 1000);
const milliseconds = (ms: number) => Number((ms / queries).toFixed(3));
const queryTable: object[] = [];
const jobTable: object[] = [];

const folder = mkdtempSync(join(tmpdir(), 'closewatch-bench-'));
const direct = await PGlite.create(folder);
const directTimes = await queryTimes((sql, values) => direct.query(sql, values.map(String)));
await direct.close();
rmSync(folder, { recursive: true });
const addRows = (name: string, times: readonly number[]) => {
  for (const [index, ms] of times.entries()) {
    queryTable.push({
      'back end': name,
      what: CASES[index]?.what,
      'queries/s': perSecond(ms),
      'ms each': milliseconds(ms),
      'time beside direct': Number((ms / (directTimes[index] ?? ms)).toFixed(2)),
    });
  }
};
addRows('PGlite, directly', directTimes);

for (const { name, isAbsent, create } of await backEnds()) {
  if (isAbsent) continue;
  const temporary = await create();
  const postgres = await openPostgres(temporary.place, { logger });
  addRows(`${name}, through the pool`, await queryTimes((sql, values) => postgres.pool.query(sql, values)));
  jobTable.push({ 'back end': name, ...(await jobRate(postgres)) });
  await postgres.close();
  await temporary.remove();
}

const redis = new Redis(REDIS, { lazyConnect: true, retryStrategy: () => null });
redis.on('error', ignore);
const hasRedis = await redis.connect().then(
  () => true,
  () => false,
);
if (hasRedis) {
  jobTable.push({ 'back end': 'Redis', ...(await jobRate(undefined, REDIS)) });
  const keys = await redis.keys(`closewatch-bench-${process.pid}*`);
  if (keys.length > 0) await redis.del(keys);
}
redis.disconnect();

console.table(queryTable);
console.table(
  jobTable.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        { add: 'added/s', work: 'worked/s' }[name] ?? name,
        typeof value === 'number' ? Math.round(value) : value,
      ]),
    ),
  ),
);

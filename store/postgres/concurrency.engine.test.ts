import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { takeBatch } from './batches.ts';
import { openPostgres, type Postgres } from './database.ts';
import { vacuum } from './pglite/vacuum.ts';
import { backEnds, keepingLogger, type TemporaryPlace } from './testing/back-ends.ts';

/** Many at once: nobody is lost, nobody starves. */
describe.each(await backEnds())('on $name', ({ isAbsent, isEmbedded, create }) => {
  let temporary: TemporaryPlace;
  let postgres: Postgres;
  let pool: pg.Pool;
  const logger = keepingLogger();

  beforeAll(async () => {
    if (isAbsent) return;
    temporary = await create();
    postgres = await openPostgres(temporary.place, { logger });
    pool = postgres.pool;
    await pool.query('CREATE TABLE counters (name text PRIMARY KEY, value int NOT NULL)');
  });
  afterAll(async () => {
    await postgres?.close();
    await temporary?.remove();
  });
  const counter = async (name: string) =>
    (await pool.query('SELECT value FROM counters WHERE name = $1', [name])).rows[0]?.value;
  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => 'no error',
      (error: { code?: string }) => error.code,
    );

  test.skipIf(isAbsent)('200 transactions and 200 queries at once, some failing, all right', async () => {
    await pool.query(`INSERT INTO counters VALUES ('sum', 0)`);
    const add = (n: number) =>
      postgres.db.transaction().execute(async (trx) => {
        const { rows } = await sql<{
          value: number;
        }>`SELECT value FROM counters WHERE name = 'sum' FOR UPDATE`.execute(trx);
        await sql`UPDATE counters SET value = ${(rows[0]?.value ?? 0) + 1} WHERE name = 'sum'`.execute(trx);
        if (n % 4 === 0) await sql`SELECT 1 / 0`.execute(trx);
      });
    const results = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const [added, read] = await Promise.all([
          codeOf(add(n)),
          pool.query('SELECT $1::int AS n, $2::text AS text', [n, `${n}`]),
        ]);
        return { added, row: read.rows[0] };
      }),
    );
    expect(results).toEqual(
      results.map((_, n) => ({ added: n % 4 === 0 ? '22012' : 'no error', row: { n, text: `${n}` } })),
    );
    expect(await counter('sum')).toBe(150);
  });

  test.skipIf(isAbsent)('a client that goes from transaction to transaction starves nobody', async () => {
    const busy = await pool.connect();
    let answered = false;
    await busy.query('BEGIN');
    const others = Promise.all(Array.from({ length: 10 }, () => pool.query('SELECT 1'))).then(() => {
      answered = true;
    });
    let rounds = 0;
    for (; !answered && rounds < 1000; rounds++) {
      await busy.query('COMMIT');
      await busy.query('BEGIN');
    }
    await busy.query('COMMIT');
    busy.release();
    await others;
    expect(rounds).toBeLessThan(1000);
  });

  test.skipIf(isAbsent || !isEmbedded)(
    'a transaction holds the one session; the others wait in order',
    async () => {
      const answered: string[] = [];
      const ask = (name: string) => pool.query('SELECT 1').then(() => void answered.push(name));
      const holder = await pool.connect();
      await holder.query('BEGIN');
      const others = [ask('first'), ask('second'), ask('third')];
      for (let n = 0; n < 5; n++) await holder.query('SELECT 1');
      answered.push('holder');
      await holder.query('COMMIT');
      holder.release();
      await Promise.all(others);
      expect(answered).toEqual(['holder', 'first', 'second', 'third']);
    },
  );

  test.skipIf(isAbsent || !isEmbedded)('the event loop turns while the database works', async () => {
    let turns = 0;
    let done = false;
    const query = pool.query('SELECT count(*) FROM generate_series(1, 2000000)').then(() => {
      done = true;
    });
    while (!done) {
      await nextTurn();
      turns++;
    }
    await query;
    expect(turns).toBeGreaterThan(100);
  });

  test.skipIf(isAbsent || !isEmbedded)('tables that often change are vacuumed', async () => {
    await pool.query('CREATE TABLE often (n int)');
    await pool.query('INSERT INTO often SELECT 0 FROM generate_series(1, 1000)');
    for (let n = 0; n < 5; n++) await pool.query('UPDATE often SET n = n + 1');
    const dead = async () =>
      Number(
        (await pool.query(`SELECT n_dead_tup AS dead FROM pg_stat_user_tables WHERE relname = 'often'`))
          .rows[0].dead,
      );
    await vi.waitFor(async () => expect(await dead()).toBeGreaterThan(1_200), 5_000);
    expect(await vacuum(pool)).toContain('closewatch.often');
    expect(await dead()).toBe(0);
    expect(await vacuum(pool)).not.toContain('closewatch.often');
  });

  test.skipIf(isAbsent)('batches become visible gaplessly in the order of their numbers', async () => {
    const isUndone = (n: number) => n % 5 === 0;
    let done = false;
    const seen: bigint[] = [];
    const look = async () => {
      const { rows } = await pool.query<{ batch: string }>('SELECT batch FROM batches ORDER BY batch');
      const before = seen.at(-1) ?? 0n;
      const fresh = rows.map(({ batch }) => BigInt(batch)).filter((batch) => !seen.includes(batch));
      for (const batch of fresh) expect(batch, `after ${before} was seen`).toBeGreaterThan(before);
      seen.push(...fresh);
    };
    const reader = (async () => {
      while (!done) await look();
    })();
    const taken = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        postgres.db
          .transaction()
          .execute(async (trx) => {
            await sql`INSERT INTO counters VALUES (${`batch-${n}`}, ${n})`.execute(trx);
            await sleep((n * 7) % 11);
            const batch = await takeBatch(trx, { kind: 'inbox', source: `source-${n}`, rows: n });
            await sleep((n * 3) % 5);
            if (isUndone(n)) throw new RangeError('undone');
            return batch;
          })
          .catch((error: unknown) => {
            if (!(error instanceof RangeError)) throw error;
          }),
      ),
    );
    done = true;
    await reader;
    await look();
    const kept = taken.filter((batch) => batch !== undefined);
    expect(kept).toHaveLength(40);
    expect(seen).toEqual(kept.toSorted((a, b) => Number(a - b)));
  });
});

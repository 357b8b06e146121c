import { once } from 'node:events';
import { sql } from 'kysely';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPostgres, type Postgres } from './database.ts';
import { backEnds, keepingLogger, type TemporaryPlace } from './testing/back-ends.ts';
import {
  admitConfiguredToken,
  createIngestAuth,
  createToken,
  forgetConfiguredTokens,
  revokeToken,
} from './tokens.ts';

/** What both back ends promise: the same rows, errors, transactions and notifications. */
describe.each(await backEnds())('on $name', ({ isAbsent, create }) => {
  let temporary: TemporaryPlace;
  let postgres: Postgres;
  let pool: pg.Pool;
  const logger = keepingLogger();

  beforeAll(async () => {
    if (isAbsent) return;
    temporary = await create();
    postgres = await openPostgres(temporary.place, { logger });
    pool = postgres.pool;
    await pool.query('CREATE TABLE counters (name text PRIMARY KEY, value int NOT NULL CHECK (value >= 0))');
  });
  afterAll(async () => {
    await postgres?.close();
    await temporary?.remove();
  });

  /** A client of the pool, given back in any case. */
  async function withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    try {
      return await work(client);
    } finally {
      client.release();
    }
  }
  const counter = async (name: string) =>
    (await pool.query('SELECT value FROM counters WHERE name = $1', [name])).rows[0]?.value;
  const fails = (promise: Promise<unknown>) =>
    promise.then(
      () => 'no error',
      (error: { code?: string }) => error.code,
    );

  test.skipIf(isAbsent)('types come out alike', async () => {
    const { rows } = await pool.query(`SELECT
      9007199254740993::int8 AS int8, 7::int4 AS int4, 2::int2 AS int2, 12345678901234567890.10::numeric AS numeric,
      (SELECT count(*) FROM generate_series(1, 3)) AS count, (SELECT sum(n) FROM generate_series(1, 3) n) AS sum,
      1.5::float8 AS float8, true AS bool, NULL::int8 AS nothing, 'ä€𝄞' AS text, '\\x00ff'::bytea AS bytea,
      '2026-05-31 23:30:00.123+02'::timestamptz AS timestamptz, '2026-05-31'::date AS date,
      '{2026-05-31,NULL}'::date[] AS dates, '{"a":[1,null,"x"]}'::jsonb AS jsonb, '[1]'::json AS json,
      ARRAY['a,b', 'c"d', NULL, '']::text[] AS texts, '{}'::text[] AS none, ARRAY[1,2]::int8[] AS int8s`);
    expect(rows).toEqual([
      {
        int8: '9007199254740993',
        int4: 7,
        int2: 2,
        numeric: '12345678901234567890.10',
        count: '3',
        sum: '6',
        float8: 1.5,
        bool: true,
        nothing: null,
        text: 'ä€𝄞',
        bytea: Buffer.from([0, 255]),
        timestamptz: new Date('2026-05-31T21:30:00.123Z'),
        date: '2026-05-31',
        dates: ['2026-05-31', null],
        jsonb: { a: [1, null, 'x'] },
        json: [1],
        texts: ['a,b', 'c"d', null, ''],
        none: [],
        int8s: ['1', '2'],
      },
    ]);
  });

  test.skipIf(isAbsent)('types go in alike', async () => {
    const at = new Date('2026-05-31T21:30:00.123Z');
    const { rows } = await pool.query(
      'SELECT $1::timestamptz AS at, $2::text[] AS texts, $3::jsonb AS jsonb, $4::int8 AS int8, $5::bytea AS bytea',
      [at, ['a,b', '{}', null], JSON.stringify({ a: 1 }), 9007199254740993n, Buffer.from('\0x')],
    );
    expect(rows).toEqual([
      {
        at,
        texts: ['a,b', '{}', null],
        jsonb: { a: 1 },
        int8: '9007199254740993',
        bytea: Buffer.from('\0x'),
      },
    ]);
  });

  test.skipIf(isAbsent)('a session is set up for the house', async () => {
    const { rows } = await pool.query(
      `SELECT current_setting('search_path') AS path, current_setting('timezone') AS zone, current_schema() AS schema`,
    );
    expect(rows).toEqual([{ path: 'closewatch, bullmq', zone: 'UTC', schema: 'closewatch' }]);
  });

  test.skipIf(isAbsent)('values of many megabytes and many rows go through', async () => {
    const text = 'é'.repeat(4 << 20);
    const { rows } = await pool.query('SELECT $1::text AS text, length($1::text) AS length', [text]);
    expect(rows[0].length).toBe(text.length);
    expect(rows[0].text === text).toBe(true);
    const many = await pool.query('SELECT n FROM generate_series(1, 50000) n');
    expect(many.rows.at(-1)).toEqual({ n: 50_000 });
    const values = Array.from({ length: 30_000 }, (_, n) => n);
    const list = values.map((n) => `$${n + 1}::int`).join();
    expect((await pool.query(`SELECT count(*) FROM unnest(ARRAY[${list}])`, values)).rows).toEqual([
      { count: '30000' },
    ]);
  });

  test.skipIf(isAbsent)('a transaction is kept whole or undone whole', async () => {
    const add = (name: string, work: () => void) =>
      postgres.db.transaction().execute(async (trx) => {
        await sql`INSERT INTO counters VALUES (${name}, 1), (${`${name}-too`}, 1)`.execute(trx);
        work();
      });
    await add('kept', () => {});
    const undone = add('undone', () => {
      throw new RangeError('no');
    });
    await expect(undone).rejects.toThrow(RangeError);
    expect([await counter('kept'), await counter('kept-too')]).toEqual([1, 1]);
    expect([await counter('undone'), await counter('undone-too')]).toEqual([undefined, undefined]);
  });

  test.skipIf(isAbsent)('others do not see what is not committed', async () => {
    await withClient(async (client) => {
      await client.query('BEGIN');
      await client.query(`INSERT INTO counters VALUES ('unseen', 1)`);
      const seen = counter('unseen');
      if (postgres.backend === 'server') expect(await seen).toBeUndefined();
      await client.query('ROLLBACK');
      expect(await seen).toBeUndefined();
    });
  });

  test.skipIf(isAbsent)('savepoints undo a part', async () => {
    await withClient(async (client) => {
      await client.query('BEGIN');
      await client.query(`INSERT INTO counters VALUES ('part', 1)`);
      await client.query('SAVEPOINT a');
      expect(await fails(client.query(`INSERT INTO counters VALUES ('part', 2)`))).toBe('23505');
      await client.query('ROLLBACK TO a');
      await client.query('COMMIT');
    });
    expect(await counter('part')).toBe(1);
  });

  test.skipIf(isAbsent)('errors keep their SQLSTATE, and the client goes on', async () => {
    await pool.query(`INSERT INTO counters VALUES ('known', 1)`);
    const statements: [string, unknown[], string][] = [
      [`INSERT INTO counters VALUES ('known', 1)`, [], '23505'],
      [`INSERT INTO counters VALUES ($1, $2)`, ['negative', -1], '23514'],
      [`INSERT INTO counters VALUES ('null', NULL)`, [], '23502'],
      [`INSERT INTO identities (provider, external_id, principal) VALUES ('a', 'b', 'nobody')`, [], '23503'],
      ['SELEC 1', [], '42601'],
      ['SELECT * FROM nowhere', [], '42P01'],
      ['SELECT $1::int', ['x'], '22P02'],
      ['SELECT 1/$1::int', [0], '22012'],
      [`SELECT n, 1/(n - 500) FROM generate_series(1, 1000) n`, [], '22012'],
    ];
    await withClient(async (client) => {
      for (const [statement, values, code] of statements) {
        expect(await fails(client.query(statement, values)), statement).toBe(code);
        expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
      }
    });
    const error = await pool.query(`INSERT INTO counters VALUES ('known', 1)`).catch((e: unknown) => e);
    expect(error).toMatchObject({ constraint: 'counters_pkey', table: 'counters', schema: 'closewatch' });
  });

  test.skipIf(isAbsent)('after an error a transaction takes nothing more', async () => {
    await withClient(async (client) => {
      await client.query('BEGIN');
      expect(await fails(client.query('SELECT 1/0'))).toBe('22012');
      expect(await fails(client.query('SELECT 1'))).toBe('25P02');
      expect((await client.query('COMMIT')).command).toBe('ROLLBACK');
      expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    });
  });

  test.skipIf(isAbsent).each(['open', 'failed'])(
    'a client released in an %s transaction is rolled back',
    async (kind) => {
      const client = await pool.connect();
      await client.query('BEGIN');
      await client.query(`INSERT INTO counters VALUES ($1, 1)`, [`released-${kind}`]);
      if (kind === 'failed') await fails(client.query('SELECT 1/0'));
      client.release();
      // Its row lock is gone as well: this waits for it, and the pool never hands the client out again.
      await pool.query(`INSERT INTO counters VALUES ($1, 2)`, [`released-${kind}`]);
      expect(await counter(`released-${kind}`)).toBe(2);
      expect(logger.lines).toContain(
        'warn a database client was released inside a transaction, which is rolled back',
      );
    },
  );

  test.skipIf(isAbsent)('notifications wake those who listen, when the transaction commits', async () => {
    await withClient(async (listener) => {
      const heard: string[] = [];
      const hear = ({ channel, payload }: pg.Notification) => void heard.push(`${channel} ${payload}`);
      await listener.query('-- What it is for.\n  LISTEN house');
      listener.on('notification', hear);
      const next = once(listener, 'notification');
      await withClient(async (client) => {
        await client.query('BEGIN');
        await client.query(`SELECT pg_notify('house', 'undone')`);
        await client.query('ROLLBACK');
        await client.query('BEGIN');
        await client.query(`SELECT pg_notify('house', 'done')`);
        await client.query(`SELECT pg_notify('elsewhere', 'done')`);
        expect(heard).toEqual([]);
        await client.query('COMMIT');
      });
      await next;
      expect(heard).toEqual(['house done']);

      listener.removeListener('notification', hear);
      const again = once(listener, 'notification');
      await pool.query(`NOTIFY house, 'more'`);
      expect((await again)[0]).toMatchObject({ channel: 'house', payload: 'more' });
      expect(heard).toEqual(['house done']);
      await listener.query('UNLISTEN *');
    });
  });

  test.skipIf(isAbsent)('every listener hears, others do not', async () => {
    let waiting = 3;
    const everybody = Promise.withResolvers<void>();
    const ready = () => void (--waiting === 0 && everybody.resolve());
    const told = everybody.promise.then(() => pool.query('NOTIFY news'));
    await Promise.all(
      [true, true, false].map((listens) =>
        withClient(async (client) => {
          let count = 0;
          client.on('notification', () => {
            count++;
          });
          if (listens) await client.query('LISTEN news');
          ready();
          await told;
          if (listens && count === 0) await once(client, 'notification');
          await client.query('SELECT 1');
          expect(count).toBe(listens ? 1 : 0);
          client.removeAllListeners('notification');
          if (listens) await client.query('UNLISTEN *');
        }),
      ),
    );
  });

  test.skipIf(isAbsent)('a model can hold no grant', async () => {
    const add = (kind: string, grants: { roles?: string[]; companies?: string[] }) =>
      postgres.db
        .insertInto('principals')
        .values({ id: `${kind}-1`, kind: kind as 'model', name: kind, roles: [], companies: [], ...grants })
        .execute();
    expect(await fails(add('model', { roles: ['admin'] }))).toBe('23514');
    expect(await fails(add('model', { companies: ['acme'] }))).toBe('23514');
    await add('model', {});
    await add('human', { roles: ['finance'], companies: ['acme'] });
    const update = postgres.db.updateTable('principals').where('id', '=', 'model-1');
    expect(await fails(update.set({ roles: ['support'] }).execute())).toBe('23514');
    const turn = postgres.db.updateTable('principals').where('id', '=', 'human-1');
    expect(await fails(turn.set({ kind: 'model' }).execute())).toBe('23514');
  });

  test.skipIf(isAbsent)(
    'of the configured tokens only the one of now is taken; revoked stays revoked',
    async () => {
      const [first, second] = ['the-first-configured-token', 'the-second-configured-token'];
      const configure = async (token: string | undefined) => {
        if (token) await admitConfiguredToken(postgres, token);
        await forgetConfiguredTokens(postgres, token);
      };
      const taken = async () => {
        const { verifyToken } = createIngestAuth(postgres);
        return [await verifyToken(first), await verifyToken(second)].map((sender) => sender?.source);
      };
      const made = await createToken(postgres, { name: 'ocr', source: '/ocr', createdBy: 'test' });
      await configure(first);
      await configure(first);
      expect(await taken()).toEqual(['*', undefined]);
      await admitConfiguredToken(postgres, second);
      expect(await taken()).toEqual(['*', '*']);
      await configure(second);
      expect(await taken()).toEqual([undefined, '*']);
      await configure(undefined);
      expect(await taken()).toEqual([undefined, undefined]);
      await configure(first);
      expect(await taken()).toEqual(['*', undefined]);
      const { tokenId } = (await createIngestAuth(postgres).verifyToken(first)) ?? { tokenId: '' };
      await revokeToken(postgres, tokenId, 'test', new Date('2026-05-31T12:00:00Z'));
      await expect(configure(first)).rejects.toMatchObject({
        code: 'config.invalid',
        message: expect.stringContaining('which was revoked at'),
      });
      expect(await taken()).toEqual([undefined, undefined]);
      expect((await createIngestAuth(postgres).verifyToken(made.token))?.source).toBe('/ocr');
    },
  );
});

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Migration } from '../migrations.ts';
import { openPostgres, type Postgres, type PostgresConfig } from './database.ts';
import { migrate, postgresMigrations } from './migrate.ts';
import { backEnds, keepingLogger, type TemporaryPlace } from './testing/back-ends.ts';
import { takeTurn } from './turns.ts';

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: { code?: string }) => error.code,
  );

/** What happens when a database is opened, migrated, and held to its limits. */
describe.each(await backEnds())('on $name', ({ isAbsent, isEmbedded, create }) => {
  let temporary: TemporaryPlace;
  let postgres: Postgres;
  const logger = keepingLogger();
  const open = async (more: Omit<PostgresConfig, 'url' | 'dataDir'> = {}) => {
    postgres = await openPostgres({ ...temporary.place, ...more }, { logger });
  };

  beforeAll(async () => {
    if (isAbsent) return;
    // What asks for TLS to servers says nothing of the embedded one, which opens as ever.
    if (isEmbedded) vi.stubEnv('PGSSLMODE', 'require');
    temporary = await create();
    await open();
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await postgres?.close();
    await temporary?.remove();
  });

  const extra = (sql: string): Migration => ({
    version: 8000,
    name: '8000_extra',
    sql,
    checksum: 'f'.repeat(64),
  });
  /** The migrations as the database has them after the test that edits one. */
  const edited = (): Migration[] =>
    postgresMigrations().map((one) => (one.version === 1 ? { ...one, checksum: 'other' } : one));
  const versions = async () =>
    (await postgres.pool.query('SELECT version FROM schema_migrations ORDER BY version')).rows.map(
      ({ version }) => version,
    );

  test.skipIf(isAbsent)('a migration that fails leaves nothing', async () => {
    const migrations = [...postgresMigrations(), extra('CREATE TABLE half (x int); SELECT 1/0')];
    expect(await codeOf(migrate(postgres.pool, { logger, migrations }))).toBe('22012');
    const { rows } = await postgres.pool.query(`SELECT to_regclass('half') AS half`);
    expect(rows).toEqual([{ half: null }]);
    expect(await versions()).toEqual(postgresMigrations().map(({ version }) => version));
  });

  test.skipIf(isAbsent)('a turn ends with the process that has the database alone', async () => {
    expect(await takeTurn(postgres.db, 'detect')).toBe(1n);
    await postgres.close();
    await open();
    // On a server it may be that of another process.
    expect(await takeTurn(postgres.db, 'detect')).toBe(isEmbedded ? 2n : undefined);
  });

  test.skipIf(isAbsent)('of several starters one migrates', async () => {
    const migrations = [...postgresMigrations(), extra('CREATE TABLE closewatch.whole (x int)')];
    await Promise.all([1, 2, 3].map(() => migrate(postgres.pool, { logger, migrations })));
    expect(await versions()).toEqual(migrations.map(({ version }) => version));
  });

  test.skipIf(isAbsent)('a newer database is refused, naming both versions', async () => {
    await postgres.close();
    await expect(open()).rejects.toMatchObject({
      name: 'ClosewatchError',
      code: 'schema.newer',
      message: expect.stringMatching(new RegExp(`8000_extra.*${postgresMigrations().at(-1)?.name}`)),
    });
  });

  test.skipIf(isAbsent)('what was refused can be opened by the program that knows it', async () => {
    const known = [...postgresMigrations(), extra('')];
    postgres = await openPostgres(temporary.place, { logger, migrations: known });
    expect(await versions()).toEqual(known.map(({ version }) => version));
    await postgres.pool.query('DELETE FROM schema_migrations WHERE version = 8000');
    await postgres.pool.query(`UPDATE schema_migrations SET checksum = 'other' WHERE version = 1`);
    await postgres.close();
    await expect(open()).rejects.toMatchObject({
      code: 'schema.edited',
      message: expect.stringMatching(/0001_create_core\.sql was changed/),
    });
  });

  test.skipIf(isAbsent)('a statement that takes too long is ended, and the database goes on', async () => {
    postgres = await openPostgres(
      { ...temporary.place, statementTimeoutMs: 2_000 },
      { logger, migrations: edited() },
    );
    const { pool } = postgres;
    await pool.query('CREATE TABLE kept (x int)');
    await pool.query('INSERT INTO kept VALUES (1)');
    expect(await codeOf(pool.query('INSERT INTO kept SELECT generate_series(1, 100000000000)'))).toBe(
      '57014',
    );
    expect((await pool.query('SELECT x FROM kept')).rows).toEqual([{ x: 1 }]);
  });

  test.skipIf(isAbsent)('who does nothing in a transaction is cut off, and others go on', async () => {
    await postgres.close();
    // Opening has transactions too, and must not be cut off on a machine that stalls.
    postgres = await openPostgres(
      { ...temporary.place, idleInTransactionMs: 3_000 },
      { logger, migrations: edited() },
    );
    const { pool } = postgres;
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query('UPDATE kept SET x = 2');
    // Nobody listens to this client's errors but the house: unheard, the cut would end the process.
    expect((await pool.query('UPDATE kept SET x = 3 RETURNING x')).rows).toEqual([{ x: 3 }]);
    await expect(client.query('COMMIT')).rejects.toThrow();
    client.release();
    expect((await pool.query('SELECT x FROM kept')).rows).toEqual([{ x: 3 }]);
    expect(logger.lines).toContain('warn a database connection was lost');
  });

  test.skipIf(isAbsent || isEmbedded)('a server that is not there is named so', async () => {
    await expect(
      openPostgres({ url: 'postgres://postgres@127.0.0.1:1/x' }, { logger }),
    ).rejects.toMatchObject({
      code: 'store.unavailable',
      message: expect.stringContaining('does not answer'),
    });
  });
});

import { join } from 'node:path';
import type pg from 'pg';
import type { Logger } from '../logger.ts';
import { type AppliedMigration, type Migration, pendingMigrations, readMigrations } from '../migrations.ts';

const FOLDER = join(import.meta.dirname, 'migrations');
/** "CLWA" as an integer; concurrent starters take turns on it. */
const ADVISORY_LOCK = 0x434c5741;

/** The migrations of the PostgreSQL database, in their order. */
export const postgresMigrations = (): Migration[] => readMigrations(FOLDER);

/**
 * Brings the schema up to the newest migration, each in a transaction of its own under one advisory lock, and records it
 * in `closewatch.schema_migrations`. Throws `schema.newer` when the database knows a migration that this program does
 * not, `schema.edited` when an applied one was edited since.
 */
export async function migrate(
  pool: pg.Pool,
  deps: { logger: Logger; migrations?: readonly Migration[] },
): Promise<void> {
  const migrations = deps.migrations ?? postgresMigrations();
  await inTransaction(pool, async (client) => {
    await client.query(`CREATE SCHEMA IF NOT EXISTS closewatch`);
    await client.query(`CREATE TABLE IF NOT EXISTS closewatch.schema_migrations (
      version integer PRIMARY KEY,
      name text NOT NULL,
      checksum text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`);
    await pending(client, migrations);
  });
  for (;;) {
    const left = await inTransaction(pool, async (client) => {
      const [migration, ...rest] = await pending(client, migrations);
      if (!migration) return 0;
      await client.query(migration.sql);
      await client.query(
        'INSERT INTO closewatch.schema_migrations (version, name, checksum) VALUES ($1, $2, $3)',
        [migration.version, migration.name, migration.checksum],
      );
      deps.logger.info({ migration: migration.name }, 'the database schema was migrated');
      return rest.length;
    });
    if (left === 0) return;
  }
}

/** What is to be applied, read under the lock: another starter may have been faster. */
async function pending(client: pg.PoolClient, migrations: readonly Migration[]): Promise<Migration[]> {
  const { rows } = await client.query<AppliedMigration>(
    'SELECT version, name, checksum FROM closewatch.schema_migrations',
  );
  return pendingMigrations('the PostgreSQL database', rows, migrations);
}

async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK]);
    const result = await work(client);
    await client.query('COMMIT');
    client.release();
    return result;
  } catch (error) {
    client.release(error as Error);
    throw error;
  }
}

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { ClosewatchError } from '../../model/errors.ts';
import type { Logger } from '../logger.ts';

export interface Migration {
  readonly version: number;
  /** The file's name without `.sql`: `0001_create_core`. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, hex. A released migration is never edited. */
  readonly checksum: string;
}

const FOLDER = join(import.meta.dirname, 'migrations');
/** "CLWA" as an integer; concurrent starters take turns on it. */
const ADVISORY_LOCK = 0x434c5741;

/** The numbered migrations of a folder (`NNNN_name.sql`), in order. */
export function readMigrations(folder: string = FOLDER): Migration[] {
  return readdirSync(folder)
    .filter((file) => /^\d{4}_[a-z0-9_]+\.sql$/.test(file))
    .sort()
    .map((file) => {
      const sql = readFileSync(join(folder, file), 'utf8');
      const checksum = createHash('sha256').update(sql).digest('hex');
      return { version: Number(file.slice(0, 4)), name: file.slice(0, -4), sql, checksum };
    });
}

/**
 * Brings the schema up to the newest migration, each in a transaction of its own under one advisory lock, and records it
 * in `closewatch.schema_migrations`. Throws `schema.newer` when the database knows a migration that this program does
 * not, `config.invalid` when an applied one was edited since.
 */
export async function migrate(
  pool: pg.Pool,
  deps: { logger: Logger; migrations?: readonly Migration[] },
): Promise<void> {
  const migrations = deps.migrations ?? readMigrations();
  await inTransaction(pool, async (client) => {
    await client.query(`CREATE SCHEMA IF NOT EXISTS closewatch`);
    await client.query(`CREATE TABLE IF NOT EXISTS closewatch.schema_migrations (
      version integer PRIMARY KEY,
      name text NOT NULL,
      checksum text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`);
    check(await applied(client), migrations);
  });
  for (const migration of migrations) {
    await inTransaction(pool, async (client) => {
      if ((await applied(client)).some(({ version }) => version === migration.version)) return;
      await client.query(migration.sql);
      await client.query(
        'INSERT INTO closewatch.schema_migrations (version, name, checksum) VALUES ($1, $2, $3)',
        [migration.version, migration.name, migration.checksum],
      );
      deps.logger.info({ migration: migration.name }, 'the database schema was migrated');
    });
  }
}

interface Applied {
  version: number;
  name: string;
  checksum: string;
}

async function applied(client: pg.PoolClient): Promise<Applied[]> {
  const { rows } = await client.query<Applied>(
    'SELECT version, name, checksum FROM closewatch.schema_migrations ORDER BY version',
  );
  return rows;
}

function check(rows: readonly Applied[], migrations: readonly Migration[]): void {
  const known = new Map(migrations.map((migration) => [migration.version, migration]));
  const last = rows.at(-1);
  const newest = migrations.at(-1);
  if (last && last.version > (newest?.version ?? 0)) {
    throw new ClosewatchError(
      'schema.newer',
      `the database is at schema ${last.name}, this program knows up to ${newest?.name ?? 'none'}: use a newer closewatch`,
    );
  }
  for (const row of rows) {
    const migration = known.get(row.version);
    if (migration?.checksum === row.checksum) continue;
    throw new ClosewatchError(
      'config.invalid',
      `migration ${row.name} was applied with another content than this program's ${migration?.name ?? '(none)'}`,
    );
  }
}

async function inTransaction(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK]);
    await work(client);
    await client.query('COMMIT');
    client.release();
  } catch (error) {
    client.release(error as Error);
    throw error;
  }
}

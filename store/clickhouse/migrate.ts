import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ClosewatchError } from '../../model/errors.ts';
import type { ClickHouse } from './client.ts';
import { defineQuery } from './query.ts';

/** A numbered SQL file. Its statements are set apart by lines that hold only `--;`. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, hexadecimal. */
  readonly checksum: string;
}

const FOLDER = join(import.meta.dirname, 'migrations');
const FILE = /^(\d{4})_([a-z0-9_]+)\.sql$/;
const GUARD = /^(.*?)\s*--@ (since|before) (\d+)\.(\d+)\s*$/;

const serverVersion = defineQuery({
  name: 'migrate.server-version',
  sql: 'SELECT version() AS version',
  params: z.object({}),
  row: z.object({ version: z.string() }),
});

const appliedMigrations = defineQuery({
  name: 'migrate.applied',
  sql: 'SELECT version, any(name) AS name, any(checksum) AS checksum FROM schema_migrations GROUP BY version ORDER BY version',
  params: z.object({}),
  row: z.object({ version: z.number(), name: z.string(), checksum: z.string() }),
});

const LEDGER = `CREATE TABLE IF NOT EXISTS schema_migrations (
  version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC')
) ENGINE = MergeTree ORDER BY version SETTINGS non_replicated_deduplication_window = 1000`;

/** The migrations of this program in their order. Throws on a file name that is none and on a gap in the numbers. */
export function readMigrations(folder: string = FOLDER): Migration[] {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort();
  return files.map((file, index) => {
    const match = FILE.exec(file);
    if (!match || Number(match[1]) !== index + 1)
      throw new Error(`${file}: migrations are numbered from 0001 without gaps`);
    const sql = readFileSync(join(folder, file), 'utf8');
    const checksum = createHash('sha256').update(sql).digest('hex');
    return { version: index + 1, name: match[2]!, sql, checksum };
  });
}

/** The statements of a migration for a ClickHouse of `version` (`26.7.2.1`): guarded lines that do not fit are left out. */
export function statementsFor(sql: string, version: string): string[] {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const lines = sql.split('\n').flatMap((line) => {
    const guard = GUARD.exec(line);
    if (!guard) return [line];
    const isNewer = major > Number(guard[3]) || (major === Number(guard[3]) && minor >= Number(guard[4]));
    return isNewer === (guard[2] === 'since') ? [guard[1] ?? ''] : [];
  });
  const statements = lines.join('\n').split(/^--;\s*$/m);
  return statements.map((text) => text.trim()).filter((text) => text.replace(/^--.*$/gm, '').trim() !== '');
}

/**
 * Brings the database to this program's schema and returns the versions that were applied now. May be killed at any
 * point and run again: each statement bears it. Throws 'schema.newer' when the database knows a migration that this
 * program does not, 'engine.failed' when a released migration has been edited.
 */
export async function migrate(
  clickhouse: ClickHouse,
  migrations: readonly Migration[] = readMigrations(),
): Promise<number[]> {
  await clickhouse.createDatabase();
  await clickhouse.command(LEDGER);
  const [server] = await clickhouse.query(serverVersion, {});
  const applied = new Map((await clickhouse.query(appliedMigrations, {})).map((row) => [row.version, row]));
  refuseNewer([...applied.keys()], migrations);
  const now: number[] = [];
  for (const migration of migrations) {
    const before = applied.get(migration.version);
    if (before) {
      refuseEdited(before, migration);
      continue;
    }
    for (const statement of statementsFor(migration.sql, server?.version ?? ''))
      await clickhouse.command(statement);
    const { version, name, checksum } = migration;
    await clickhouse.insertRows(
      'schema_migrations',
      [{ version, name, checksum, applied_at: new Date().toISOString() }],
      { token: `migration:${version}:${checksum}` },
    );
    now.push(version);
  }
  return now;
}

function refuseNewer(applied: readonly number[], migrations: readonly Migration[]): void {
  const [theirs, ours] = [Math.max(0, ...applied), migrations.length];
  if (theirs <= ours) return;
  throw new ClosewatchError(
    'schema.newer',
    `The ClickHouse database has schema version ${theirs}, this program knows up to ${ours}. Use a newer Closewatch.`,
  );
}

function refuseEdited(applied: { readonly checksum: string }, migration: Migration): void {
  if (applied.checksum === migration.checksum) return;
  const name = `${String(migration.version).padStart(4, '0')}_${migration.name}.sql`;
  throw new ClosewatchError(
    'engine.failed',
    `Migration ${name} was changed after it had been applied (${applied.checksum.slice(0, 12)}… there, ${migration.checksum.slice(0, 12)}… here). Add a new migration instead.`,
  );
}

import { join } from 'node:path';
import { z } from 'zod';
import { type Migration, pendingMigrations, readMigrations } from '../migrations.ts';
import type { ClickHouse } from './client.ts';
import { defineQuery } from './query.ts';

const FOLDER = join(import.meta.dirname, 'migrations');
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

/** The migrations of the ClickHouse database, in their order. Their statements are set apart by lines that hold only `--;`. */
export const clickhouseMigrations = (): Migration[] => readMigrations(FOLDER);

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
 * program does not, 'schema.edited' when an applied one was edited since.
 */
export async function migrate(
  clickhouse: ClickHouse,
  migrations: readonly Migration[] = clickhouseMigrations(),
): Promise<number[]> {
  await clickhouse.createDatabase();
  await clickhouse.command(LEDGER);
  const [server] = await clickhouse.query(serverVersion, {});
  const applied = await clickhouse.query(appliedMigrations, {});
  const now: number[] = [];
  for (const migration of pendingMigrations('the ClickHouse database', applied, migrations)) {
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

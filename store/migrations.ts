import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClosewatchError } from '../model/errors.ts';

/** A numbered SQL file. */
export interface Migration {
  readonly version: number;
  /** The file's name without `.sql`: `0001_create_core`. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, hexadecimal. A released migration is never edited. */
  readonly checksum: string;
}

/** What a database says of a migration that it has had. */
export type AppliedMigration = Pick<Migration, 'version' | 'name' | 'checksum'>;

const FILE = /^(\d{4})_[a-z0-9_]+\.sql$/;

/**
 * The migrations of a folder (`0001_create_core.sql`) in their order; a number may be missing. Throws on a `.sql` file that
 * is not named so and on a number that two files have.
 */
export function readMigrations(folder: string): Migration[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.sql'));
  const migrations = files.sort().map((file) => {
    const match = FILE.exec(file);
    if (!match) throw new Error(`${file}: a migration is named NNNN_what_it_does.sql`);
    const sql = readFileSync(join(folder, file), 'utf8');
    const checksum = createHash('sha256').update(sql).digest('hex');
    return { version: Number(match[1]), name: file.slice(0, -4), sql, checksum };
  });
  const twice = migrations.find(({ version }, index) => migrations[index - 1]?.version === version);
  if (twice) throw new Error(`${twice.name}.sql: another migration has this number`);
  return migrations;
}

/**
 * The migrations that `database` has not had, in their order. Throws `schema.newer` when it has had one above all that this
 * program knows, `schema.edited` when one that it has had is another here, or is missing here.
 */
export function pendingMigrations(
  database: string,
  applied: readonly AppliedMigration[],
  migrations: readonly Migration[],
): Migration[] {
  const newest = migrations.at(-1);
  const last = applied.toSorted((a, b) => a.version - b.version).at(-1);
  if (last && last.version > (newest?.version ?? 0)) {
    throw new ClosewatchError(
      'schema.newer',
      `${database} has schema ${last.name}, this program knows up to ${newest?.name ?? 'none'}. Use a newer Closewatch.`,
    );
  }
  const known = new Map(migrations.map((migration) => [migration.version, migration]));
  for (const row of applied) refuseEdited(database, row, known.get(row.version));
  const had = new Set(applied.map(({ version }) => version));
  return migrations.filter(({ version }) => !had.has(version));
}

function refuseEdited(database: string, applied: AppliedMigration, ours: Migration | undefined): void {
  if (applied.checksum === ours?.checksum) return;
  const difference = ours
    ? `${ours.name}.sql was changed after it had been applied (${applied.checksum.slice(0, 12)}… there, ${ours.checksum.slice(0, 12)}… here)`
    : `${applied.name}.sql was applied and is missing here`;
  throw new ClosewatchError(
    'schema.edited',
    `${database}: migration ${difference}. A change of the schema is a new migration.`,
  );
}

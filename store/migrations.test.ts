import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Migration, pendingMigrations, readMigrations } from './migrations.ts';

function folder(...files: string[]): string {
  const path = mkdtempSync(join(tmpdir(), 'closewatch-migrations-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  for (const file of files) writeFileSync(join(path, file), `SELECT '${file}'`);
  return path;
}

const migration = (version: number, checksum = 'a'): Migration => ({
  version,
  name: `000${version}_m`,
  sql: '',
  checksum,
});

describe('a folder of migrations', () => {
  test('is read in the order of its numbers, gaps allowed, other files left out', () => {
    const read = readMigrations(folder('0010_c.sql', '0002_b.sql', '0001_a.sql', 'README.md'));
    expect(read.map(({ version, name }) => ({ version, name }))).toEqual([
      { version: 1, name: '0001_a' },
      { version: 2, name: '0002_b' },
      { version: 10, name: '0010_c' },
    ]);
    expect(read[0]).toMatchObject({
      sql: "SELECT '0001_a.sql'",
      checksum: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  test.each([
    [['0001_a.sql', '2_b.sql'], /^2_b\.sql/],
    [['0001_a.sql', '0001_b.sql'], /^0001_b\.sql/],
  ])('is refused with %j', (files, message) => {
    expect(() => readMigrations(folder(...files))).toThrow(message);
  });
});

describe('what is to be applied', () => {
  const versions = (applied: Migration[], ours: Migration[]) =>
    pendingMigrations('the database', applied, ours).map(({ version }) => version);

  test('is what the database has not had, a number between applied ones included', () => {
    const ours = [migration(1), migration(2), migration(3), migration(5)];
    expect(versions([], ours)).toEqual([1, 2, 3, 5]);
    expect(versions([migration(3), migration(1)], ours)).toEqual([2, 5]);
    expect(versions(ours, ours)).toEqual([]);
  });

  test('is nothing for a newer database, which is named with what this program knows', () => {
    expect(() => versions([migration(7), migration(1)], [migration(1), migration(5)])).toThrow(
      expect.objectContaining({
        code: 'schema.newer',
        message: expect.stringMatching(/the database .*0007_m.*0005_m/),
      }),
    );
  });

  test.each([
    ['edited', [migration(1, 'other')], /0001_m\.sql was changed/],
    ['missing here', [migration(2)], /0002_m\.sql was applied and is missing/],
  ])('is nothing when an applied one is %s', (_, applied, message) => {
    expect(() => versions(applied, [migration(1), migration(3)])).toThrow(
      expect.objectContaining({ code: 'schema.edited', message: expect.stringMatching(message) }),
    );
  });
});

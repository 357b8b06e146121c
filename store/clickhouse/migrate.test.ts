import { describe, expect, test } from 'vitest';
import { clickhouseMigrations, statementsFor } from './migrate.ts';

describe('the statements of a migration', () => {
  const sql = [
    '-- What it is for.',
    'CREATE TABLE a (',
    '  x UInt8, -- a comment; with a semicolon',
    "  INDEX i x TYPE text(tokenizer = 'array') --@ since 26.2",
    '  INDEX i x TYPE minmax --@ before 26.2',
    ')',
    '--;',
    "INSERT INTO a VALUES ('--;')",
    '--;',
    '-- nothing',
    '--;',
    '',
  ].join('\n');

  test('are set apart by lines of `--;` and fit the version', () => {
    const [create, insert, ...rest] = statementsFor(sql, '26.7.2.1');
    expect(create).toContain("TYPE text(tokenizer = 'array')\n)");
    expect(create).not.toContain('minmax');
    expect(insert).toBe("INSERT INTO a VALUES ('--;')");
    expect(rest).toEqual([]);
  });

  test.each([
    ['26.2.1.1', true],
    ['26.10.1.1', true],
    ['27.0.1.1', true],
    ['26.1.9.9', false],
    ['25.8.3.1', false],
  ])('on %s, text index: %s', (version, isText) => {
    const [create] = statementsFor(sql, version);
    expect(create?.includes('text(')).toBe(isText);
    expect(create?.includes('minmax')).toBe(!isText);
  });
});

test('the released migrations are numbered, and every statement bears being run twice', () => {
  const migrations = clickhouseMigrations();
  expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, i) => i + 1));
  for (const { sql, name } of migrations) {
    for (const statement of statementsFor(sql, '26.7')) {
      const code = statement.replace(/^--.*$/gm, '').trim();
      expect(code, name).toMatch(
        /^CREATE (TABLE|MATERIALIZED VIEW) IF NOT EXISTS |^ALTER TABLE .* IF (NOT )?EXISTS |^(DROP|RENAME) TABLE IF EXISTS |^INSERT INTO (document_events|event_keys_small) SELECT |^ALTER TABLE otel_traces_small ATTACH PARTITION ALL FROM otel_traces$/,
      );
      if (code.includes('ENGINE = MergeTree')) {
        expect(code, name).toContain('non_replicated_deduplication_window = 10000');
      }
    }
  }
});

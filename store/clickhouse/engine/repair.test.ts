import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { forgetUncommitted } from './repair.ts';

const LINES = ['1\t202601_1_1_0\ta', '1\t202601_99_99_0\tb', '2\t202601_5_5_0\tc', '1\t202602_100_100_0\td'];
let root = '';
let log = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'closewatch-repair-'));
  const table = join(root, 'store', 'abc', 'abcdef');
  mkdirSync(join(table, 'deduplication_logs'), { recursive: true });
  writeFileSync(join(root, 'status'), 'PID: 1\n');
  log = join(table, 'deduplication_logs', 'deduplication_log_1.txt');
  writeFileSync(log, `${LINES.join('\n')}\n`);
  // The first is in a merged part, the second is itself; the last has block 100 of another partition only.
  for (const part of ['202601_1_98_3', '202601_99_99_0', '202601_100_100_0', 'tmp_insert_202602_100_100_0']) {
    mkdirSync(join(table, part));
  }
});
afterEach(() => rmSync(root, { recursive: true }));

test('a token whose part was never committed is forgotten, all others stay', () => {
  expect(forgetUncommitted(root)).toEqual([LINES[3]]);
  expect(readFileSync(log, 'utf8')).toBe(`${LINES.slice(0, 3).join('\n')}\n`);
  expect(forgetUncommitted(root)).toEqual([]);
});

test('nothing is touched after a clean end', () => {
  rmSync(join(root, 'status'));
  expect(forgetUncommitted(root)).toEqual([]);
  expect(readFileSync(log, 'utf8')).toBe(`${LINES.join('\n')}\n`);
});

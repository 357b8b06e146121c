import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { setAsideUnconfirmed } from './repair.ts';

let root = '';
let table = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'closewatch-repair-'));
  table = join(root, 'store', 'abc', 'abcdef');
  mkdirSync(join(table, 'deduplication_logs'), { recursive: true });
  writeFileSync(join(root, 'status'), 'PID: 1\n');
  writeFileSync(
    join(table, 'deduplication_logs', 'deduplication_log_1.txt'),
    '1\t202601_99_99_0\t202601_1\n1\t202601_100_100_0\t202601_2\n',
  );
  for (const part of [
    '202601_99_99_0',
    '202601_100_100_0',
    '202601_101_101_0',
    '202601_1_98_3',
    '202601_3_3_0',
  ]) {
    mkdirSync(join(table, part));
  }
});
afterEach(() => rmSync(root, { recursive: true }));

test('a new part that the log does not know is set aside, all others stay', () => {
  expect(setAsideUnconfirmed(root)).toEqual([join(table, 'detached', 'unconfirmed_202601_101_101_0')]);
  expect(readdirSync(table).sort()).toEqual(
    [
      '202601_100_100_0',
      '202601_1_98_3',
      '202601_3_3_0',
      '202601_99_99_0',
      'deduplication_logs',
      'detached',
    ].sort(),
  );
  expect(setAsideUnconfirmed(root)).toEqual([]);
});

test('nothing is touched after a clean end, in a table without a log, or in parts older than the log', () => {
  rmSync(join(root, 'status'));
  expect(setAsideUnconfirmed(root)).toEqual([]);
  writeFileSync(join(root, 'status'), 'PID: 1\n');
  utimesSync(join(table, '202601_101_101_0'), 1, 1);
  expect(setAsideUnconfirmed(root)).toEqual([]);
  rmSync(join(table, 'deduplication_logs'), { recursive: true });
  utimesSync(join(table, '202601_101_101_0'), new Date(), new Date());
  expect(setAsideUnconfirmed(root)).toEqual([]);
  expect(existsSync(join(table, '202601_101_101_0'))).toBe(true);
});

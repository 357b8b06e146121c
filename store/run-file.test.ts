import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type RunFile, readRunFile, writeRunFile } from './run-file.ts';

const RUN: RunFile = {
  pid: process.pid,
  startedAt: '2026-05-31T21:30:00Z',
  ports: { api: 4000, engine: 8123 },
  engine: { url: 'http://127.0.0.1:8123', username: 'closewatch', password: 'secret' },
  controlToken: 'token',
};

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'closewatch-run-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

test('what was written is read, by its owner alone, until it is removed', () => {
  const dataDir = folder();
  const written = writeRunFile(dataDir, RUN);
  expect(readRunFile(dataDir)).toEqual(RUN);
  expect(readdirSync(dataDir)).toEqual(['run.json']);
  expect(statSync(join(dataDir, 'run.json')).mode & 0o777).toBe(0o600);
  written.remove();
  expect(existsSync(join(dataDir, 'run.json'))).toBe(false);
  expect(readRunFile(dataDir)).toBeUndefined();
});

test('it is written anew over a readable one, and stays closed to others', () => {
  const dataDir = folder();
  writeFileSync(join(dataDir, 'run.json'), '{}', { mode: 0o644 });
  onTestFinished(writeRunFile(dataDir, RUN).remove);
  expect(statSync(join(dataDir, 'run.json')).mode & 0o777).toBe(0o600);
});

test('the file of a process that is dead counts for nothing', () => {
  const dataDir = folder();
  // Above the largest process id that a kernel gives.
  const pid = 2 ** 30;
  onTestFinished(writeRunFile(dataDir, { ...RUN, pid }).remove);
  expect(readRunFile(dataDir)).toBeUndefined();
});

test.each(['', '{', '{}', '{"pid":1}'])('%j is no run file', (text) => {
  const dataDir = folder();
  writeFileSync(join(dataDir, 'run.json'), text);
  expect(readRunFile(dataDir)).toBeUndefined();
});

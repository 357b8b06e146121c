import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { type RunFile, writeRunFile } from '../store/run-file.ts';
import { serveControl } from './control.ts';
import { findRunning } from './running.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'closewatch-running-'));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

function write(port: number, more: Partial<RunFile> = {}): void {
  const written = writeRunFile(dataDir, {
    pid: process.pid,
    startedAt: '2026-05-31T21:30:00Z',
    ports: { control: port },
    engine: { url: 'http://127.0.0.1:8123', username: '', password: '' },
    controlToken: 'token',
    ...more,
  });
  onTestFinished(written.remove);
}

test('a process that answers at its door runs', async () => {
  const door = await serveControl(new Map(), {});
  const port = Number(new URL(door.url).port);
  write(port, { controlToken: door.token });
  expect(await findRunning(dataDir)).toMatchObject({ pid: process.pid, ports: { control: port } });
  write(port, { controlToken: 'of the one before' });
  expect(await findRunning(dataDir)).toBeUndefined();
  // The process id of a parent lives too, and is not that of the door.
  write(port, { controlToken: door.token, pid: process.ppid });
  expect(await findRunning(dataDir)).toBeUndefined();
  await door.close();
  write(port, { controlToken: door.token });
  expect(await findRunning(dataDir)).toBeUndefined();
});

test.each(['{}', 'null', '<html>'])(
  'another program that has the port now and says %j is not it',
  async (text) => {
    const other = createServer((_, response) => void response.end(text));
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve));
    write((other.address() as AddressInfo).port);
    expect(await findRunning(dataDir)).toBeUndefined();
    other.closeAllConnections();
    await new Promise((resolve) => other.close(resolve));
  },
);

test('without a run file nothing runs', async () => {
  expect(await findRunning(dataDir)).toBeUndefined();
});

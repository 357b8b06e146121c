import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { lockDirectory } from './lock.ts';

let directory: string;
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'closewatch-lock-')), 'data');
});
afterEach(() => rmSync(join(directory, '..'), { recursive: true }));

/** Another process that asks for the lock, says when it asks and when it has it, and holds it until it is killed. */
async function holder() {
  const module = join(import.meta.dirname, 'lock.ts');
  const program = `
    const { lockDirectory } = await import(process.argv[1]);
    console.log('asking');
    await lockDirectory(process.argv[2], { waitMs: 60_000 });
    console.log('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, module, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  const said = (word: string) =>
    new Promise<void>((resolve) => lines.on('line', (line) => line === word && resolve()));
  return {
    pid: child.pid,
    asking: said('asking'),
    held: said('held'),
    kill: () => child.kill('SIGKILL'),
  };
}
const refused = (pid: number | undefined) => ({
  code: 'data-dir.locked',
  message: expect.stringContaining(`process ${pid}`),
});

test('a directory is made, held once, and free again when it is released', async () => {
  const lock = await lockDirectory(directory);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  await expect(lockDirectory(directory, { waitMs: 0 })).rejects.toMatchObject(refused(process.pid));
  lock.release();
  lock.release();
  expect(existsSync(join(directory, 'lock.pid'))).toBe(false);
  (await lockDirectory(directory, { waitMs: 0 })).release();
});

test('a refused try inside the holder does not open the directory to others', async () => {
  const lock = await lockDirectory(directory);
  await expect(lockDirectory(directory, { waitMs: 0 })).rejects.toMatchObject(refused(process.pid));
  const other = await holder();
  let isHeld = false;
  void other.held.then(() => {
    isHeld = true;
  });
  await other.asking;
  // It asks every 100 ms.
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(isHeld).toBe(false);
  lock.release();
  await other.held;
  await expect(lockDirectory(directory, { waitMs: 0 })).rejects.toMatchObject(refused(other.pid));
});

test('kill -9 of the holder frees the directory for one who waits', async () => {
  const other = await holder();
  await other.held;
  await expect(lockDirectory(directory, { waitMs: 0 })).rejects.toMatchObject(refused(other.pid));
  const waiting = lockDirectory(directory, { waitMs: 60_000 });
  other.kill();
  (await waiting).release();
});

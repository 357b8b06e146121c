import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClosewatchError } from '../model/errors.ts';

export interface Lock {
  /** Gives the directory free; more than once does no harm. */
  release(): void;
}

/**
 * Holds a directory for this process, made when it is not there. The lock is the kernel's (SQLite's exclusive lock on `lock.sqlite`, an
 * fcntl record lock), so it ends with the process, kill -9 included. Waits up to `waitMs` for another holder to die, then
 * throws `data-dir.locked` naming its process id. Nobody else may open `lock.sqlite`: a process that closes any handle of
 * a file loses its fcntl locks on it.
 */
export async function lockDirectory(directory: string, options: { waitMs?: number } = {}): Promise<Lock> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const deadline = Date.now() + (options.waitMs ?? 10_000);
  for (;;) {
    const lock = tryLock(directory);
    if (lock) return lock;
    if (Date.now() >= deadline) {
      throw new ClosewatchError('data-dir.locked', `${directory} is in use by ${holder(directory)}`);
    }
    await sleep(100);
  }
}

const pidFile = (directory: string): string => join(directory, 'lock.pid');

function tryLock(directory: string): Lock | undefined {
  const database = new DatabaseSync(join(directory, 'lock.sqlite'), { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  writeFileSync(pidFile(directory), `${process.pid}\n`, { mode: 0o600 });
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      rmSync(pidFile(directory), { force: true });
      database.close();
    },
  };
}

const SQLITE_BUSY = 5;
const isBusy = (error: unknown): boolean => (error as { errcode?: number }).errcode === SQLITE_BUSY;

function holder(directory: string): string {
  try {
    return `process ${readFileSync(pidFile(directory), 'utf8').trim()}`;
  } catch {
    return 'another process';
  }
}

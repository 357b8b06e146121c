import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** What a running `up` tells other commands of the same user: where it is and the keys to it. */
export const runFile = z.object({
  pid: z.int().positive(),
  startedAt: z.iso.datetime(),
  /** The real ports by name: `collector`, `api`, `engine` … */
  ports: z.record(z.string(), z.int().min(1).max(65_535)),
  engine: z.object({ url: z.url(), username: z.string(), password: z.string() }),
  controlToken: z.string().min(1),
});
export type RunFile = z.infer<typeof runFile>;

const path = (dataDir: string): string => join(dataDir, 'run.json');

/** Writes `run.json` (mode 0600, in one step) for this process; it is removed when the process exits. */
export function writeRunFile(dataDir: string, run: RunFile): { remove(): void } {
  const draft = `${path(dataDir)}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(runFile.parse(run), null, 2)}\n`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, path(dataDir));
  const remove = (): void => {
    process.off('exit', remove);
    rmSync(path(dataDir), { force: true });
  };
  process.on('exit', remove);
  return { remove };
}

/** Removes the file of a process that was killed: for whoever holds the lock of the data directory, any file is that. */
export const removeOldRunFile = (dataDir: string): void => rmSync(path(dataDir), { force: true });

/** What the running process wrote; undefined for no file, a broken one, or one whose process is dead. */
export function readRunFile(dataDir: string): RunFile | undefined {
  let text: string;
  try {
    text = readFileSync(path(dataDir), 'utf8');
  } catch {
    return undefined;
  }
  const run = runFile.safeParse(parsed(text));
  return run.success && isAlive(run.data.pid) ? run.data : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

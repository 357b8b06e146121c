import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync, realpathSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

/** Room that must be left in shared memory before a body goes there. */
const SHM_RESERVE = 256 * 1024 * 1024;
const SHM = '/dev/shm';

/**
 * Private folders (0700) for the bytes of requests: one in shared memory where there is any, one in the data
 * directory. Their names follow from the data directory, whose lock makes this process their only user: whatever
 * a killed predecessor left in them is removed here.
 */
export interface BodyFolders {
  /** The folder for a body of `bytes` (or of unknown size): shared memory while it has room. */
  choose(bytes: number | undefined): string;
  remove(): void;
}

function privateFolder(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false;
  }
  const found = lstatSync(path);
  if (!found.isDirectory() || (process.getuid && found.uid !== process.getuid())) return false;
  chmodSync(path, 0o700);
  for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true, force: true });
  return true;
}

export function bodyFolders(dataDir: string): BodyFolders {
  const onDisk = join(dataDir, 'bodies');
  if (!privateFolder(onDisk)) throw new Error(`${onDisk} is not a folder of ours`);
  const name = createHash('sha256').update(realpathSync(dataDir)).digest('hex').slice(0, 16);
  const inMemory = join(SHM, `closewatch-${name}`);
  let hasMemory = false;
  try {
    hasMemory = privateFolder(inMemory);
  } catch {
    // No shared memory on this system: bodies go to disk.
  }
  const room = () => {
    const fs = statfsSync(SHM);
    return fs.bavail * fs.bsize - SHM_RESERVE;
  };
  return {
    choose: (bytes) => (hasMemory && room() > (bytes ?? 64 * 1024 * 1024) ? inMemory : onDisk),
    remove: () => {
      rmSync(onDisk, { recursive: true, force: true });
      if (hasMemory) rmSync(inMemory, { recursive: true, force: true });
    },
  };
}

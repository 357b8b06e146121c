import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A secret of this deployment: its text, and whether it was made just now. */
export interface Secret {
  readonly text: string;
  readonly isNew: boolean;
}

/** The secret `name` of the data directory, made at the first call; it lies in `secrets/<name>`, for its owner's eyes (0600). */
export function secretOf(dataDir: string, name: 'admin-token' | 'pseudonym-key'): Secret {
  const folder = join(dataDir, 'secrets');
  const file = join(folder, name);
  try {
    return { text: readFileSync(file, 'utf8').trim(), isNew: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const text = randomBytes(32).toString('base64url');
  writeFileSync(file, `${text}\n`, { mode: 0o600, flag: 'wx' });
  return { text, isNew: true };
}

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ClosewatchError } from '../model/errors.ts';
import { createSealer, type Sealer } from '../store/sealed.ts';
import type { Config } from './config.ts';

/** A secret of this deployment: its text, and whether it was made just now. */
export interface Secret {
  readonly text: string;
  readonly isNew: boolean;
}

/** What was cut off by a full disk is shorter, and must never count as the secret: an empty token would let anybody in. */
const LEAST_LENGTH = 32;

/**
 * The secret `name` of the data directory, made at the first call; it lies in `secrets/<name>`, for its owner's eyes (0600).
 * Throws `config.invalid` when the file holds none that was written whole.
 */
export function secretOf(
  dataDir: string,
  name: 'admin-token' | 'pseudonym-key' | 'secrets-key' | 'audit-key',
): Secret {
  const folder = join(dataDir, 'secrets');
  const file = join(folder, name);
  const known = read(file);
  if (known !== undefined) return { text: known, isNew: false };
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const text = randomBytes(32).toString('base64url');
  if (write(file, `${text}\n`)) return { text, isNew: true };
  return { text: read(file) ?? '', isNew: false };
}

/** Seals the secrets of senders, under `CLOSEWATCH_SECRETS_KEY` or else a key of the data directory, made when it is needed. */
export const sealerOf = ({ secretsKey, dataDir }: Pick<Config, 'secretsKey' | 'dataDir'>): Sealer =>
  createSealer(() => secretsKey ?? secretOf(dataDir, 'secrets-key').text);

function read(file: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (text.length >= LEAST_LENGTH) return text;
  throw new ClosewatchError(
    'config.invalid',
    `${file} holds ${text.length} characters where a secret has ${LEAST_LENGTH} or more: put it back from a backup, or remove the file and the next start makes a new secret`,
  );
}

/** Writes a file in one step, to the disk: it is there whole or not at all. False when another process was first. */
function write(file: string, text: string): boolean {
  const draft = `${file}.${process.pid}`;
  try {
    const open = openSync(draft, 'w', 0o600);
    try {
      writeFileSync(open, text);
      fsyncSync(open);
    } finally {
      closeSync(open);
    }
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ClosewatchError } from '../../model/errors.ts';

/** A file that is imported: its bytes as often as they are needed, how far reading is, and in the end its hash. */
export interface LogFile {
  readonly path: string;
  readonly name: string;
  /** The first bytes, unpacked. */
  readonly head: Buffer;
  /** Bytes on disk, times how often the file is read. */
  bytesTotal(): number;
  bytesRead(): number;
  /** The bytes from the beginning, unpacked. */
  bytes(): Readable;
  /** Says that `bytes` is called so often, for progress. */
  readTimes(times: number): void;
  /** SHA-256 of the bytes on disk, once they were read to the end. */
  sha256(): string | undefined;
}

const HEAD_BYTES = 64 * 1024;
const CHUNK = 256 * 1024;

const isGzip = (bytes: Buffer): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

function unpacked(raw: Readable): Readable {
  const plain = createGunzip();
  pipeline(raw, plain, () => {});
  return plain;
}

async function headOf(path: string): Promise<{ head: Buffer; isPacked: boolean }> {
  const file = await open(path);
  try {
    const bytes = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await file.read(bytes, 0, HEAD_BYTES, 0);
    const raw = bytes.subarray(0, bytesRead);
    if (!isGzip(raw)) return { head: raw, isPacked: false };
  } finally {
    await file.close();
  }
  const pieces: Buffer[] = [];
  let size = 0;
  const source = createReadStream(path, { highWaterMark: HEAD_BYTES });
  try {
    for await (const piece of unpacked(source)) {
      pieces.push(piece as Buffer);
      size += (piece as Buffer).length;
      if (size >= HEAD_BYTES) break;
    }
  } catch {
    // What cannot be unpacked is said when the file is read.
  } finally {
    source.destroy();
  }
  return { head: Buffer.concat(pieces).subarray(0, HEAD_BYTES), isPacked: true };
}

/** Opens a file. Throws `import.invalid` when there is none. */
export async function openLogFile(path: string): Promise<LogFile> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile()) throw new ClosewatchError('import.invalid', `there is no file ${path}`);
  const { head, isPacked } = await headOf(path);
  let times = 1;
  let bytesRead = 0;
  let sha256: string | undefined;
  async function* read(): AsyncGenerator<Buffer> {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK })) {
      hash.update(chunk as Buffer);
      bytesRead += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
    sha256 = hash.digest('hex');
  }
  return {
    path,
    name: basename(path),
    head,
    bytesTotal: () => info.size * times,
    bytesRead: () => bytesRead,
    bytes() {
      const raw = Readable.from(read(), { objectMode: false });
      return isPacked ? unpacked(raw) : raw;
    },
    readTimes(count) {
      times = count;
    },
    sha256: () => sha256,
  };
}

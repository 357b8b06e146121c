import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ClosewatchError } from '../../model/errors.ts';
import { readCsv } from './csv.ts';
import { readJsonLines } from './jsonl.ts';
import type { Format, ImportMap } from './map.ts';
import type { Row } from './row.ts';
import { readXes } from './xes.ts';

/** The format of a file by its name; throws `import.invalid` when the name does not tell. */
export function formatOf(path: string, given: Format | undefined): Format {
  if (given) return given;
  const [, ending] = /\.(csv|tsv|txt|jsonl|ndjson|xes)(?:\.gz)?$/i.exec(path) ?? [];
  switch (ending?.toLowerCase()) {
    case 'csv':
    case 'tsv':
    case 'txt':
      return 'csv';
    case 'jsonl':
    case 'ndjson':
      return 'jsonl';
    case 'xes':
      return 'xes';
    default:
      throw new ClosewatchError(
        'import.invalid',
        `${path}: the name does not tell the format; set format in the map`,
      );
  }
}

/** A file being read: its rows one after another, how far it is, and in the end its hash. */
export interface OpenLog {
  readonly bytesTotal: number;
  bytesRead(): number;
  rows(): AsyncIterable<Row>;
  /** SHA-256 of the file's bytes, once all rows were read. */
  sha256(): string;
}

/** The text without what a terminal would obey: parsers quote what they could not read. */
const printable = (text: string): string => text.replace(/[\p{C}\ufffd]+/gu, '?').slice(0, 300);

/** Opens a log. Throws `import.invalid` when there is no such file, and while it is read when it is no such format. */
export async function openLog(path: string, format: Format, csv: ImportMap['csv']): Promise<OpenLog> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile()) throw new ClosewatchError('import.invalid', `there is no file ${path}`);
  const hash = createHash('sha256');
  let bytesRead = 0;
  async function* read(): AsyncGenerator<Buffer> {
    for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
      hash.update(chunk as Buffer);
      bytesRead += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
  }
  function bytes(): Readable {
    const raw = Readable.from(read(), { objectMode: false });
    if (!/\.gz$/i.test(path)) return raw;
    const plain = createGunzip();
    pipeline(raw, plain, () => {});
    return plain;
  }
  async function* rows(): AsyncGenerator<Row> {
    try {
      if (format === 'csv') yield* readCsv(bytes(), csv);
      else if (format === 'jsonl') yield* readJsonLines(bytes());
      else yield* readXes(bytes());
    } catch (error) {
      if (error instanceof ClosewatchError) throw error;
      throw new ClosewatchError(
        'import.invalid',
        `${path} cannot be read as ${format}: ${printable((error as Error).message)}`,
        {
          cause: error,
        },
      );
    }
  }
  return { bytesTotal: info.size, bytesRead: () => bytesRead, rows, sha256: () => hash.digest('hex') };
}

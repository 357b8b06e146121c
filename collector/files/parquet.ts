import { open } from 'node:fs/promises';
import { ClosewatchError, errorCode } from '../../model/errors.ts';
import type { ClickHouse } from '../../store/clickhouse/client.ts';
import { type ParquetColumn, readParquetRows, readParquetSchema } from '../../store/clickhouse/parquet.ts';
import type { FormatReader, ReadOptions } from './format.ts';
import type { LogFile } from './log-file.ts';
import type { Row } from './row.ts';

const MAGIC = 'PAR1';
const MAX_FOOTER = 64 << 20;

const notParquet = (what: string): ClosewatchError => new ClosewatchError('import.invalid', what);

/** The footer of the file with its length and the closing magic bytes. */
async function footerOf({ path, name }: LogFile): Promise<Buffer> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const end = Buffer.alloc(8);
    await file.read(end, 0, 8, Math.max(0, size - 8));
    const length = end.readUInt32LE(0) + 8;
    if (size < 12 || end.toString('latin1', 4) !== MAGIC || length > size)
      throw notParquet(
        `${name} is no whole Parquet file: it does not end with a footer (unpack it when it is gzip)`,
      );
    if (length > MAX_FOOTER) throw notParquet(`${name}: its footer is larger than ${MAX_FOOTER} bytes`);
    const footer = Buffer.alloc(length);
    await file.read(footer, 0, length, size - length);
    return footer;
  } finally {
    await file.close();
  }
}

/** The columns that are read. Throws when the map names one that the file does not have, or has as a list. */
function chosen(
  file: LogFile,
  { columns, unreadable }: { columns: readonly ParquetColumn[]; unreadable: readonly string[] },
  { columns: wanted, note }: ReadOptions,
): readonly ParquetColumn[] {
  const names = new Set(columns.map(({ name }) => name));
  const missing = [...(wanted ?? [])].filter((name) => !names.has(name));
  if (missing.length > 0)
    throw notParquet(
      `${file.name} has no column ${missing.map((name) => JSON.stringify(name)).join(', ')} of one value a row; it has ${[...names].join(', ')}`,
    );
  if (wanted === undefined && unreadable.length > 0)
    note(`left out, for they hold lists or have odd names: ${unreadable.slice(0, 20).join(', ')}`);
  return wanted === undefined ? columns : columns.filter(({ name }) => wanted.has(name));
}

/**
 * The rows of a Parquet file, read by ClickHouse: members of structs are `outer.inner`, lists and maps are left out.
 * Timestamps are written as ISO times, with `Z` where the file says that they are UTC.
 */
async function* readParquet(file: LogFile, options: ReadOptions): AsyncGenerator<Row> {
  const { clickhouse } = options;
  if (!clickhouse) throw notParquet('Parquet is read by ClickHouse, and there is none');
  const footer = await footerOf(file);
  try {
    const schema = await readParquetSchema(clickhouse, footer);
    yield* rowsOf(clickhouse, file, chosen(file, schema, options), schema.rows);
  } catch (error) {
    if (errorCode(error) !== 'engine.failed') throw error;
    throw new ClosewatchError(
      'import.invalid',
      `${file.name} cannot be read as Parquet: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

async function* rowsOf(
  clickhouse: ClickHouse,
  file: LogFile,
  columns: readonly ParquetColumn[],
  rows: number,
): AsyncGenerator<Row> {
  let number = 0;
  for await (const values of readParquetRows(clickhouse, file.bytes(), columns, rows)) {
    const fields: Record<string, string> = Object.create(null);
    for (const [i, { name }] of columns.entries()) fields[name] = values[i] ?? '';
    yield { number: ++number, fields };
  }
}

export const parquetFormat: FormatReader = {
  format: 'parquet',
  title: 'Parquet',
  hasRows: true,
  hasHeader: true,
  endings: ['parquet', 'pq'],
  shows: (head) => head.toString('latin1', 0, 4) === MAGIC,
  read: readParquet,
};

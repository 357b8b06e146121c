import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { type ClickHouse, identifier, quotedName } from './client.ts';
import { defineQuery } from './query.ts';

/** A column of a Parquet file: one value a row. Members of structs are `outer.inner`. */
export interface ParquetColumn {
  readonly name: string;
  readonly kind: 'text' | 'float' | 'decimal' | 'instant' | 'time';
  /** Declared so where the file is read into. */
  readonly type: string;
}

export interface ParquetSchema {
  readonly rows: number;
  readonly columns: readonly ParquetColumn[];
  /** Columns that hold lists or maps, or have names that cannot be asked for. */
  readonly unreadable: readonly string[];
}

const PREFIX = 'parquet_import_';
const ROW = '__row';
/** Rows of one query: an import stops between them for as long as it likes, and no query runs meanwhile. */
const PAGE = 20_000;
/** A table that is so old was left by a process that died. */
const LEFT_AFTER_MS = 86_400_000;

const METADATA = `Array(Tuple(name String, path String, max_definition_level UInt64, max_repetition_level UInt64,
  physical_type String, logical_type String, compression String, total_uncompressed_size UInt64,
  total_compressed_size UInt64, space_saved String, encodings Array(String)))`;

const tableName = (at: Date): string => `${PREFIX}${at.getTime()}_${randomBytes(8).toString('hex')}`;

const drop = (clickhouse: ClickHouse, table: string): Promise<void> =>
  clickhouse.command(`DROP TABLE IF EXISTS ${identifier(table)} SYNC`);

/** A table made for one import; it is gone when `use` has ended. */
async function withTable<T>(
  clickhouse: ClickHouse,
  columns: string,
  use: (table: string) => Promise<T>,
): Promise<T> {
  const table = tableName(new Date());
  await clickhouse.command(`CREATE TABLE ${identifier(table)} (${columns}) ENGINE = Memory`);
  try {
    return await use(table);
  } finally {
    await drop(clickhouse, table).catch(() => {});
  }
}

function columnOf(path: string, physical: string, logical: string): ParquetColumn {
  const text = (kind: ParquetColumn['kind']): ParquetColumn => ({
    name: path,
    kind,
    type: 'Nullable(String)',
  });
  const [, precision, scale] = /^Decimal\(precision=(\d+), scale=(\d+)/.exec(logical) ?? [];
  if (precision !== undefined)
    return {
      name: path,
      kind: 'decimal',
      type: `Nullable(Decimal(${Math.min(Number(precision), 76)}, ${scale}))`,
    };
  // INT96 is what Spark and Impala write for an instant.
  if (physical === 'INT96' || logical.startsWith('Timestamp(isAdjustedToUTC=true')) return text('instant');
  if (logical.startsWith('Time(')) return text('time');
  return text(physical === 'DOUBLE' || physical === 'FLOAT' ? 'float' : 'text');
}

/** What the end of a Parquet file says: from the first byte of its footer to its last. */
export async function readParquetSchema(clickhouse: ClickHouse, footer: Buffer): Promise<ParquetSchema> {
  await dropLeft(clickhouse);
  return await withTable(clickhouse, `num_rows UInt64, columns ${METADATA}`, async (table) => {
    const body = Readable.from([Buffer.from('PAR1'), footer], { objectMode: false });
    await clickhouse.insertParquet(table, ['num_rows', 'columns'], 'ParquetMetadata', body);
    const said = await clickhouse.query(
      defineQuery({
        name: 'parquet.schema',
        sql: `SELECT toString(num_rows) AS rows, c.path AS path, c.physical_type AS physical, c.logical_type AS logical,
            toUInt32(c.max_repetition_level) AS repeats
          FROM ${identifier(table)} ARRAY JOIN columns AS c`,
        params: z.object({}),
        row: z.object({
          rows: z.string(),
          path: z.string(),
          physical: z.string(),
          logical: z.string(),
          repeats: z.number(),
        }),
      }),
      {},
    );
    const isReadable = ({ path, repeats }: { path: string; repeats: number }): boolean =>
      repeats === 0 && path !== ROW && quotedName(path) !== undefined;
    return {
      rows: Number(said[0]?.rows ?? 0),
      columns: said
        .filter(isReadable)
        .map(({ path, physical, logical }) => columnOf(path, physical, logical)),
      unreadable: said.filter((column) => !isReadable(column)).map(({ path }) => path),
    };
  });
}

/** Drops tables of imports that were killed. */
async function dropLeft(clickhouse: ClickHouse): Promise<void> {
  const left = await clickhouse.query(
    defineQuery({
      name: 'parquet.left_tables',
      sql: `SELECT name FROM system.tables WHERE database = {database:String} AND startsWith(name, {prefix:String})`,
      params: z.object({ database: z.string(), prefix: z.string() }),
      row: z.object({ name: z.string() }),
    }),
    { database: clickhouse.database, prefix: PREFIX },
  );
  for (const { name } of left) {
    const madeAt = Number(/^\d+/.exec(name.slice(PREFIX.length))?.[0]);
    if (Date.now() - madeAt > LEFT_AFTER_MS) await drop(clickhouse, name);
  }
}

/** A value as text: an instant says that it is in UTC, a time of day has no date, a number that is none is no value. */
function textOf(value: string | null, { kind }: ParquetColumn): string | null {
  if (value === null) return null;
  if (kind === 'instant') return `${value}Z`;
  if (kind === 'time') return value.slice(11);
  return kind === 'float' && value === 'nan' ? null : value;
}

/**
 * The rows of a Parquet file, in its order, as texts of the columns; null where there is no value. The file is read by
 * ClickHouse into a table of its own, which is gone when the reader is done or broken off; no query runs longer than it
 * takes to read a page of 20,000 rows. Decimals have all their digits, instants end with `Z`, times without a zone do not.
 */
export async function* readParquetRows(
  clickhouse: ClickHouse,
  body: Readable,
  columns: readonly ParquetColumn[],
  rows: number,
): AsyncGenerator<(string | null)[]> {
  const table = tableName(new Date());
  const names = columns.map(({ name }) => quotedName(name));
  const declared = columns.map(({ type }, i) => `${names[i]} ${type}`);
  const page = defineQuery({
    name: 'parquet.rows',
    sql: `SELECT ${names.join(', ')} FROM ${identifier(table)}
      WHERE ${ROW} >= {from:UInt64} AND ${ROW} < {to:UInt64} ORDER BY ${ROW}
      SETTINGS output_format_decimal_trailing_zeros = 1`,
    params: z.object({ from: z.number(), to: z.number() }),
    row: z.array(z.string().nullable()),
  });
  await clickhouse.command(
    `CREATE TABLE ${identifier(table)} (${ROW} UInt64 DEFAULT rowNumberInAllBlocks(), ${declared.join(', ')})
      ENGINE = MergeTree ORDER BY ${ROW}`,
  );
  try {
    const read = columns.map(({ name }) => name);
    await clickhouse.insertParquet(table, read, 'Parquet', body);
    for (let from = 0; from < rows; from += PAGE)
      for await (const batch of clickhouse.tuples(page, { from, to: from + PAGE }))
        for (const row of batch) yield row.map((value, i) => textOf(value, columns[i]!));
  } finally {
    await drop(clickhouse, table).catch(() => {});
  }
}

import { ClosewatchError } from '../../model/errors.ts';
import type { ClickHouse } from '../../store/clickhouse/client.ts';
import { activitiesOf } from './activities.ts';
import { readCases } from './cases.ts';
import type { Faults } from './faults.ts';
import type { BankOptions, FormatReader, ReadOptions } from './format.ts';
import { IdenticalRows } from './identical-rows.ts';
import type { Item } from './item.ts';
import type { LogFile } from './log-file.ts';
import type { ImportMap } from './map.ts';
import { type Prepared, usedColumns } from './request.ts';
import type { Row } from './row.ts';
import { eventOfRow, namedColumns, type RowReader } from './row-event.ts';
import { timeReader } from './times.ts';

/** What reading needs beside the request. */
export interface Reading {
  readonly faults: Faults;
  /** Epoch nanoseconds. */
  readonly now: bigint;
  readonly clickhouse: ClickHouse | undefined;
  readonly bank: BankOptions | undefined;
  readonly complete: (upTo: bigint) => void;
}

/** The text without what a terminal would obey: parsers quote what they could not read. */
const printable = (text: string): string => text.replace(/[\p{C}\ufffd]+/gu, '?').slice(0, 300);

/** What a file holds as its format reads it. Throws `import.invalid` when it is no such format after all. */
export async function* read(
  file: LogFile,
  reader: FormatReader,
  options: ReadOptions,
): AsyncGenerator<Row | Item> {
  try {
    yield* reader.read(file, options);
  } catch (error) {
    if (error instanceof ClosewatchError) throw error;
    throw new ClosewatchError(
      'import.invalid',
      `${file.path} cannot be read as ${reader.title}: ${printable((error as Error).message)}`,
      { cause: error },
    );
  }
}

/** What a file holds, in its order, and what becomes of it: the one way through every format. */
export async function* itemsOf(prepared: Prepared, reading: Reading): AsyncGenerator<Item> {
  const { file, reader, map, core } = prepared;
  const options = optionsOf(prepared, reading);
  if (!map || !core) {
    for await (const item of read(file, reader, options)) if (!('fields' in item)) yield item;
    return;
  }
  const { faults } = reading;
  const rows = await rowReaderOf(prepared, map, core, reading);
  const named = namedColumns(map, core);
  for await (const row of checkedColumns(read(file, reader, options), file, reader, named, faults))
    if ('fields' in row) yield { where: row.where ?? `row ${row.number}`, result: eventOfRow(row, rows) };
    else yield row;
  for (const warning of rows.activities.warnings()) faults.note(warning);
}

function optionsOf(prepared: Prepared, { faults, now, clickhouse, bank, complete }: Reading): ReadOptions {
  const columns = usedColumns(prepared);
  return {
    map: prepared.map,
    source: prepared.source,
    columns: columns && new Set(columns),
    now,
    clickhouse,
    bank,
    note: faults.note,
    complete,
  };
}

async function rowReaderOf(
  prepared: Prepared,
  map: ImportMap,
  core: RowReader['core'],
  reading: Reading,
): Promise<RowReader> {
  return {
    map,
    core,
    source: prepared.source,
    activities: activitiesOf(map),
    time: timeReader(map.columns.timeFormat, map.timezone),
    identical: new IdenticalRows(),
    cases: await casesOf(prepared, map, reading),
    now: reading.now,
  };
}

async function casesOf(prepared: Prepared, map: ImportMap, reading: Reading): Promise<RowReader['cases']> {
  const { cases } = prepared;
  if (!map.cases || !cases) return undefined;
  const { file, reader } = cases;
  const named = [map.cases.case, casesColumns(map.cases)].flat(2);
  const all = read(file, reader, optionsOf(prepared, reading));
  async function* rows(): AsyncGenerator<Row> {
    for await (const row of checkedColumns(all, file, reader, named, reading.faults))
      if ('fields' in row) yield row;
  }
  return await readCases(rows(), map, (row, what) =>
    reading.faults.addCase(`${file.name}, row ${row}`, what),
  );
}

/** Columns of the file of cases that the map names, apart from the case. */
function casesColumns(told: NonNullable<ImportMap['cases']>): string[] {
  const listed = told.attributes === '*' ? [] : told.attributes;
  const single = [told.company, told.amount, told.currency, told.docNumber, told.party];
  const keys = told.keys.flatMap((key) => key.columns);
  return [...single, ...listed, ...keys].filter((name) => name !== undefined);
}

const quoted = (names: Iterable<string>): string => [...names].map((name) => JSON.stringify(name)).join(', ');

/**
 * The rows as they are. Throws when the header of a file lacks a column that the map names; where every row has its own
 * (JSON lines, XES, OCEL) one that no row had is a warning.
 */
async function* checkedColumns(
  rows: AsyncIterable<Row | Item>,
  file: LogFile,
  { hasHeader = false }: FormatReader,
  named: readonly string[],
  faults: Faults,
): AsyncGenerator<Row | Item> {
  const unseen = new Set(named);
  let first = true;
  for await (const row of rows) {
    if ('fields' in row) {
      for (const name of unseen) if (name in row.fields) unseen.delete(name);
      if (first && hasHeader && unseen.size > 0)
        throw new ClosewatchError(
          'import.invalid',
          `${file.name} has no column ${quoted(unseen)}; it has ${Object.keys(row.fields).join(', ')}`,
        );
      first = false;
    }
    yield row;
  }
  if (!first && unseen.size > 0)
    faults.note(`no row of ${file.name} has ${quoted(unseen)}, which the map names`);
}

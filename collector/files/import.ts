import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, resolve } from 'node:path';
import { ClosewatchError, type Problem } from '../../model/errors.ts';
import { nanosOf, parseInstant } from '../../model/time.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import type { Counters } from '../../store/counters.ts';
import { closeOrphans } from '../../store/forwarder.ts';
import type { Intake } from '../../store/intake/intake.ts';
import type { Logger } from '../../store/logger.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { noteImport, startImport } from '../../store/postgres/imports.ts';
import { closeImported } from '../../store/postgres/sources.ts';
import { withSpan } from '../../store/tracing.ts';
import { activitiesOf } from './activities.ts';
import { createBlocks } from './blocks.ts';
import { readCases } from './cases.ts';
import { IdenticalRows } from './identical-rows.ts';
import { formatOf, openLog } from './log.ts';
import { type ImportMap, parseImportMap } from './map.ts';
import type { Row } from './row.ts';
import { coreColumns, eventOfRow, namedColumns, type RowReader } from './row-event.ts';
import { timeReader } from './times.ts';

export interface ImportRequest {
  /** Path of the event log. */
  readonly file: string;
  /** Path of the import map. */
  readonly map: string;
  /** Instead of the map's source. */
  readonly source?: string | undefined;
  /** Instead of the map's file of case attributes. */
  readonly cases?: string | undefined;
  /** Store nothing when a row is bad. */
  readonly strict?: boolean | undefined;
}

export interface ImportProgress {
  readonly rowsRead: number;
  readonly stored: number;
  readonly known: number;
  readonly skipped: number;
  readonly bad: number;
  readonly bytesRead: number;
  readonly bytesTotal: number;
}

/** `rowsRead` = stored + known + skipped + bad rows of the log; bad rows of the case file are counted apart. */
export interface ImportResult {
  readonly source: string;
  readonly rowsRead: number;
  readonly stored: number;
  readonly known: number;
  readonly skipped: number;
  readonly bad: number;
  readonly badCases: number;
  /** The first 20 things that were wrong, and where. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
  readonly seconds: number;
}

export interface ImportDeps {
  readonly postgres: Postgres;
  readonly events: FinanceEventStore;
  readonly logger: Logger;
  readonly counters?: Counters;
  /** Where what came and which rows were bad is accounted for. */
  readonly intake?: Intake;
  readonly now?: () => Date;
}

const MAX_PROBLEMS = 20;
const NOTE_EVERY_MS = 1_000;
/** Sources that this process imports just now. */
const busy = new Set<string>();

/**
 * Imports an event log as finance events of a source and returns the counts. It streams; blocks of 20,000 rows are stored
 * one by one under a batch number and a token each. Whatever is stored already is left out, so the same file twice, a
 * longer export of it, or a second run after a kill adds nothing twice. Bad rows are counted and told, not stored. Throws
 * `import.invalid` for a map or file that cannot be used, and with `strict` for a bad row, before anything is stored;
 * `state.conflict` while another import of the source runs.
 */
export async function importEventLog(
  request: ImportRequest,
  deps: ImportDeps,
  onProgress: (progress: ImportProgress) => void = () => {},
): Promise<ImportResult> {
  const prepared = await prepare(request, deps.now ?? (() => new Date()));
  const { source } = prepared;
  if (busy.has(source)) throw new ClosewatchError('state.conflict', `an import of ${source} is running`);
  busy.add(source);
  try {
    if (request.strict) await checkAll(prepared);
    const result = await withSpan('import', {}, () => run(prepared, deps, onProgress));
    countRows(result, deps.counters);
    const { bad, badCases } = result;
    deps.intake?.lost({ source, stream: '', reason: 'bad-row', records: bad });
    deps.intake?.lost({ source, stream: '', reason: 'bad-case', records: badCases });
    return result;
  } finally {
    busy.delete(source);
  }
}

function countRows(result: ImportResult, counters: Counters | undefined): void {
  for (const outcome of ['stored', 'known', 'skipped', 'bad'] as const)
    counters?.add('closewatch_import_rows', { outcome }, result[outcome]);
  counters?.add('closewatch_import_rows', { outcome: 'bad-case' }, result.badCases);
}

interface Prepared {
  readonly file: string;
  readonly source: string;
  readonly map: ImportMap;
  readonly mapHash: string;
  readonly core: { case: string[]; activity: string; time: string };
  readonly format: ReturnType<typeof formatOf>;
  readonly casesFile: string | undefined;
  readonly now: () => Date;
}

async function prepare(request: ImportRequest, now: () => Date): Promise<Prepared> {
  const text = await readFile(request.map, 'utf8').catch((cause) => {
    throw new ClosewatchError('import.invalid', `there is no import map ${request.map}`, { cause });
  });
  const { map, hash } = parseImportMap(text, basename(request.map));
  const format = formatOf(request.file, map.format);
  const core = coreColumns(map, format);
  if (typeof core === 'string')
    throw new ClosewatchError('import.invalid', `${basename(request.map)}: ${core}`);
  if (request.cases !== undefined && !map.cases)
    throw new ClosewatchError(
      'import.invalid',
      `${basename(request.map)} has no cases: it must say how the columns of ${basename(request.cases)} are read`,
    );
  return {
    file: request.file,
    source: request.source ?? map.source,
    map,
    mapHash: hash,
    core,
    format,
    casesFile: request.cases ?? (map.cases && besideOf(map.cases.file, request)),
    now,
  };
}

/** The case file beside the map, else beside the event log. */
function besideOf(file: string, request: ImportRequest): string {
  if (isAbsolute(file)) return file;
  const beside = resolve(dirname(request.map), file);
  return existsSync(beside) ? beside : resolve(dirname(request.file), file);
}

interface Faults {
  bad: number;
  badCases: number;
  readonly problems: Problem[];
  /** Columns that the map names and no row had. */
  readonly warnings: string[];
}

async function readerOf(prepared: Prepared, faults: Faults): Promise<RowReader> {
  const { map, core, source, casesFile } = prepared;
  const note = (where: string, what: string): void => {
    if (faults.problems.length < MAX_PROBLEMS) faults.problems.push({ where, what });
  };
  let cases: RowReader['cases'];
  if (map.cases && casesFile) {
    const log = await openLog(casesFile, formatOf(casesFile, map.cases.format), map.csv);
    const named = [map.cases.case, casesColumns(map.cases)].flat(2);
    const rows = checkedColumns(log.rows(), casesFile, formatOf(casesFile, map.cases.format), named, faults);
    cases = await readCases(rows, map, (row, what) => {
      faults.badCases++;
      note(`${basename(casesFile)}, row ${row}`, what);
    });
  }
  return {
    map,
    core,
    source,
    activities: activitiesOf(map),
    time: timeReader(map.columns.timeFormat, map.timezone),
    identical: new IdenticalRows(),
    cases,
    now: nanosOf(prepared.now()),
  };
}

/** Columns of the file of cases that the map names, apart from the case. */
function casesColumns(told: NonNullable<ImportMap['cases']>): string[] {
  const listed = told.attributes === '*' ? [] : told.attributes;
  const single = [told.company, told.amount, told.currency, told.docNumber, told.party];
  const keys = told.keys.flatMap((key) => key.columns);
  return [...single, ...listed, ...keys].filter((name) => name !== undefined);
}

/**
 * The rows as they are. Throws when the header of a CSV lacks a column that the map names; where every row has its own
 * (JSON lines, XES) one that no row had is a warning.
 */
async function* checkedColumns(
  rows: AsyncIterable<Row>,
  file: string,
  format: Prepared['format'],
  named: readonly string[],
  { warnings }: Faults,
): AsyncGenerator<Row> {
  const unseen = new Set(named);
  let first = true;
  for await (const row of rows) {
    for (const name of unseen) if (name in row.fields) unseen.delete(name);
    if (first && format === 'csv' && unseen.size > 0)
      throw new ClosewatchError(
        'import.invalid',
        `${basename(file)} has no column ${quoted(unseen)}; it has ${Object.keys(row.fields).join(', ')}`,
      );
    first = false;
    yield row;
  }
  if (!first && unseen.size > 0)
    warnings.push(`no row of ${basename(file)} has ${quoted(unseen)}, which the map names`);
}

const quoted = (names: Iterable<string>): string => [...names].map((name) => JSON.stringify(name)).join(', ');

/** The results of all rows in order; bad ones are noted. Throws when a column that the map names is not in the file. */
async function* results(
  prepared: Prepared,
  reader: RowReader,
  faults: Faults,
  log: Awaited<ReturnType<typeof openLog>>,
) {
  const named = namedColumns(prepared.map, prepared.core);
  for await (const row of checkedColumns(log.rows(), prepared.file, prepared.format, named, faults)) {
    const result = eventOfRow(row, reader);
    if ('bad' in result) {
      faults.bad++;
      if (faults.problems.length < MAX_PROBLEMS)
        faults.problems.push({ where: `${basename(prepared.file)}, row ${row.number}`, what: result.bad });
    }
    yield result;
  }
}

/** Reads everything and stores nothing; throws when a row is bad. */
async function checkAll(prepared: Prepared): Promise<void> {
  const faults: Faults = { bad: 0, badCases: 0, problems: [], warnings: [] };
  const reader = await readerOf(prepared, faults);
  const log = await openLog(prepared.file, prepared.format, prepared.map.csv);
  for await (const _ of results(prepared, reader, faults, log));
  const count = faults.bad + faults.badCases;
  if (count > 0)
    throw new ClosewatchError('import.invalid', `${count} rows are bad; nothing was stored`, {
      problems: faults.problems,
    });
}

async function run(
  prepared: Prepared,
  deps: ImportDeps,
  onProgress: (progress: ImportProgress) => void,
): Promise<ImportResult> {
  const { postgres } = deps;
  const { source, now } = prepared;
  const started = now();
  const faults: Faults = { bad: 0, badCases: 0, problems: [], warnings: [] };
  const reader = await readerOf(prepared, faults);
  const log = await openLog(prepared.file, prepared.format, prepared.map.csv);
  await closeOrphans({ postgres, events: deps.events, before: now(), source, now });
  const fileName = basename(prepared.file);
  const id = await startImport(postgres, { source, fileName, mapHash: prepared.mapHash, startedAt: started });
  const blocks = await createBlocks({ ...deps, source, now });
  let rowsRead = 0;
  let skipped = 0;
  const progress = (): ImportProgress => ({
    rowsRead,
    ...blocks.counts(),
    skipped,
    bad: faults.bad,
    bytesRead: log.bytesRead(),
    bytesTotal: log.bytesTotal,
  });
  let told = 0;
  try {
    for await (const result of results(prepared, reader, faults, log)) {
      rowsRead++;
      if ('skipped' in result) skipped++;
      else if ('event' in result && (await blocks.add(result.event, result.at))) {
        await noteImport(postgres, id, progress());
        onProgress(progress());
      }
      if (rowsRead % 1000 === 0 && Date.now() - told > NOTE_EVERY_MS) {
        told = Date.now();
        onProgress(progress());
      }
    }
    await blocks.flush();
    const upTo = prepared.map.completeUpTo;
    const completeUpTo =
      upTo === undefined ? undefined : upTo === 'last-event' ? blocks.lastEventAt() : parseInstant(upTo);
    await postgres.db
      .transaction()
      .execute((trx) => closeImported(trx, blocks.arrivals(), completeUpTo, now()));
    for (const { company, events: records, lastEventAt: newest } of blocks.arrivals())
      deps.intake?.arrived({ source, company, stream: '', records, bytes: 0, newest, live: false });
    await noteImport(postgres, id, progress(), { state: 'done', at: now(), fileHash: log.sha256() });
  } catch (error) {
    await noteImport(postgres, id, progress(), { state: 'failed', at: now() }).catch(() => {});
    throw error;
  }
  onProgress(progress());
  const { bytesRead: _, bytesTotal: __, ...counts } = progress();
  return {
    source,
    ...counts,
    badCases: faults.badCases,
    problems: faults.problems,
    warnings: [...reader.activities.warnings(), ...faults.warnings],
    seconds: Math.round((now().getTime() - started.getTime()) / 10) / 100,
  };
}

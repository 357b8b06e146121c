import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { timeZone } from '../../model/company.ts';
import { ClosewatchError } from '../../model/errors.ts';
import { parseInstant } from '../../model/time.ts';
import type { FormatReader } from './format.ts';
import { readerOf } from './formats.ts';
import { type LogFile, openLogFile } from './log-file.ts';
import { FORMATS, type ImportMap, parseImportMap } from './map.ts';
import { coreColumns, namedColumns } from './row-event.ts';

/** What is imported, and how. Paths are absolute where another process may do it. */
export const importRequest = z.strictObject({
  file: z.string().min(1),
  map: z.string().optional(),
  format: z.enum(FORMATS).optional(),
  source: z.string().min(1).max(1024).optional().describe("instead of the map's source"),
  cases: z.string().optional().describe("instead of the map's file of case attributes"),
  company: z.string().min(1).max(128).optional().describe('company of a bank statement'),
  accountJournal: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe('journal of the account of a bank statement'),
  timezone: timeZone.optional().describe('zone of times and dates that carry none'),
  zones: z.record(z.string(), timeZone).optional().describe('zone by company, as companies.yaml has it'),
  completeUpTo: z
    .string()
    .refine(
      (text) => text === 'last-event' || parseInstant(text) !== undefined,
      'must be last-event or an instant',
    )
    .optional(),
  live: z.boolean().optional().describe('the facts are news: detection may open exceptions for them'),
  strict: z.boolean().optional().describe('store nothing when a row is bad'),
  dryRun: z.boolean().optional().describe('store nothing, and say what would be stored'),
});
export type ImportRequest = z.infer<typeof importRequest>;

/** A request whose files are open and whose map is read. */
export interface Prepared {
  readonly file: LogFile;
  readonly reader: FormatReader;
  readonly recognisedBy: 'option' | 'content' | 'name';
  readonly source: string;
  readonly map: ImportMap | undefined;
  readonly mapHash: string;
  /** The columns of case, activity and time of a format of rows. */
  readonly core: { case: string[]; activity: string; time: string } | undefined;
  readonly cases: { readonly file: LogFile; readonly reader: FormatReader } | undefined;
  readonly company: string | undefined;
  readonly journal: string | undefined;
  readonly timezone: string | undefined;
  readonly completeUpTo: string | undefined;
  readonly isLive: boolean;
}

const invalid = (what: string): ClosewatchError => new ClosewatchError('import.invalid', what);

async function readMap(path: string | undefined): Promise<{ map?: ImportMap; hash: string }> {
  if (path === undefined) return { hash: '' };
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new ClosewatchError('import.invalid', `there is no import map ${path}`, { cause });
  });
  return parseImportMap(text, basename(path));
}

/** The map with the request's zone, and with what a format has names for. */
function completed(map: ImportMap, request: ImportRequest, reader: FormatReader): ImportMap {
  const eventId = map.columns.eventId ?? (reader.format === 'ocel' ? 'event:id' : undefined);
  return {
    ...map,
    timezone: request.timezone ?? map.timezone,
    columns: { ...map.columns, ...(eventId === undefined ? {} : { eventId }) },
  };
}

/** Reads the map and opens the files. Throws `import.invalid` when they do not fit together. */
export async function prepare(request: ImportRequest): Promise<Prepared> {
  const file = await openLogFile(request.file);
  const { map: given, hash } = await readMap(request.map);
  const { reader, by } = readerOf(file, request.format ?? given?.format, given !== undefined);
  const map = given && completed(given, request, reader);
  if (reader.hasRows && !map)
    throw invalid(`${file.name} is ${reader.title}: it needs --map, which says what its columns mean`);
  if (request.cases !== undefined && !map?.cases)
    throw invalid(
      `${basename(request.map ?? '')} has no cases: it must say how the columns of ${basename(request.cases)} are read`,
    );
  const core = map && reader.hasRows ? coreColumns(map, reader.format) : undefined;
  if (typeof core === 'string') throw invalid(`${basename(request.map ?? '')}: ${core}`);
  const company = request.company ?? map?.company;
  const journal = request.accountJournal ?? map?.journal;
  return {
    file,
    reader,
    recognisedBy: by,
    source: request.source ?? map?.source ?? sourceOf(reader, company, journal),
    map,
    mapHash: hash,
    core,
    cases: map?.cases && reader.hasRows ? await openCases(map.cases, request) : undefined,
    company,
    journal,
    timezone: request.timezone ?? map?.timezone ?? request.zones?.[company ?? ''],
    completeUpTo: request.completeUpTo ?? map?.completeUpTo,
    isLive: request.live === true,
  };
}

/** Without a map: of CloudEvents any source that they name; of bank files one for the account. */
function sourceOf(
  { format }: FormatReader,
  company: string | undefined,
  journal: string | undefined,
): string {
  if (format === 'cloudevents') return '*';
  return ['/bank', company, journal].filter(Boolean).join('/');
}

/** The file of cases beside the map, else beside the event log. */
async function openCases(
  cases: NonNullable<ImportMap['cases']>,
  request: ImportRequest,
): Promise<NonNullable<Prepared['cases']>> {
  const path = request.cases ?? besideOf(cases.file, request);
  const file = await openLogFile(path);
  const { reader } = readerOf(file, cases.format, true);
  if (!['csv', 'jsonl', 'xes'].includes(reader.format))
    throw invalid(`${file.name} is ${reader.title}: a file of cases is CSV or JSON lines`);
  return { file, reader };
}

function besideOf(file: string, request: ImportRequest): string {
  if (isAbsolute(file)) return file;
  const beside = resolve(dirname(request.map ?? request.file), file);
  return existsSync(beside) ? beside : resolve(dirname(request.file), file);
}

/** The columns of the log that are used; undefined: all. */
export function usedColumns({ map, core, reader }: Prepared): string[] | undefined {
  if (!map || !core || map.columns.attributes === '*') return undefined;
  const named = namedColumns(map, core);
  // What the reader of OCEL makes itself is there without being asked for.
  return reader.format === 'ocel' ? named.filter((name) => !name.startsWith('event:')) : named;
}

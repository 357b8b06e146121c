import { ClosewatchError } from '../../model/errors.ts';
import { camtFormat } from './bank/camt.ts';
import { mt940Format } from './bank/mt940.ts';
import { cloudEventsFormat } from './cloudevents.ts';
import { csvFormat } from './csv.ts';
import type { FormatReader } from './format.ts';
import { jsonLinesFormat } from './jsonl.ts';
import type { LogFile } from './log-file.ts';
import type { Format } from './map.ts';
import { ocelFormat } from './ocel.ts';
import { parquetFormat } from './parquet.ts';
import { xesFormat } from './xes.ts';

const READERS: readonly FormatReader[] = [
  parquetFormat,
  camtFormat,
  xesFormat,
  mt940Format,
  ocelFormat,
  cloudEventsFormat,
  jsonLinesFormat,
  csvFormat,
];

/** The reader of a file, and how its format was told. */
export interface Recognised {
  readonly reader: FormatReader;
  readonly by: 'option' | 'content' | 'name';
}

/**
 * The reader of a file: of the format that is given, else of what its beginning shows, else of what its name says. Throws
 * `import.invalid` when none tells. `isMapped`: there is a map that says how columns are read.
 */
export function readerOf(file: LogFile, given: Format | undefined, isMapped: boolean): Recognised {
  const asked = READERS.find(({ format }) => format === given);
  if (asked) return { reader: asked, by: 'option' };
  const shown = READERS.find((reader) => reader.shows(file.head, isMapped));
  if (shown) return { reader: shown, by: 'content' };
  const [, ending = ''] = /\.([^.]+?)(?:\.gz)?$/i.exec(file.name) ?? [];
  const named = READERS.find(({ endings }) => endings.includes(ending.toLowerCase()));
  if (named) return { reader: named, by: 'name' };
  const known = READERS.map(({ format }) => format).join(', ');
  throw new ClosewatchError(
    'import.invalid',
    `${file.path}: neither its content nor its name tells the format; say --format, one of ${known}`,
  );
}

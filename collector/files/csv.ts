import { pipeline, Readable } from 'node:stream';
import { parse } from 'csv-parse';
import { ClosewatchError } from '../../model/errors.ts';
import type { FormatReader } from './format.ts';
import type { ImportMap } from './map.ts';
import type { Row } from './row.ts';
import { checkedUtf8 } from './utf8.ts';

const MAX_RECORD_CHARACTERS = 1 << 20;

/** The rows of a CSV file (RFC 4180; the first line names the columns). A row of another width comes with its problem. */
export async function* readCsv(bytes: Readable, options: ImportMap['csv']): AsyncGenerator<Row> {
  const parser = parse({
    bom: true,
    delimiter: options.delimiter,
    quote: options.quote,
    encoding: options.encoding === 'utf-16le' ? 'utf16le' : options.encoding === 'latin1' ? 'latin1' : 'utf8',
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_RECORD_CHARACTERS,
  });
  const checked =
    options.encoding === 'utf-8'
      ? Readable.from(checkedUtf8(bytes, '; set csv.encoding in the map'), { objectMode: false })
      : bytes;
  pipeline(checked, parser, () => {});
  let header: readonly string[] | undefined;
  let number = 0;
  for await (const record of parser as AsyncIterable<string[]>) {
    if (!header) {
      header = record;
      const twice = header.find((name, i) => header?.indexOf(name) !== i);
      if (twice !== undefined)
        throw new ClosewatchError('import.invalid', `the file has two columns ${JSON.stringify(twice)}`);
      continue;
    }
    number++;
    const fields: Record<string, string> = Object.create(null);
    for (const [i, name] of header.entries()) fields[name] = record[i] ?? '';
    const problem =
      record.length === header.length
        ? undefined
        : `has ${record.length} fields, the header ${header.length}`;
    yield { number, fields, problem };
  }
  if (!header) throw new ClosewatchError('import.invalid', 'the file is empty: it has no header');
}

const CSV = { delimiter: ',', quote: '"', encoding: 'utf-8' } as const;

export const csvFormat: FormatReader = {
  format: 'csv',
  title: 'CSV',
  hasRows: true,
  hasHeader: true,
  endings: ['csv', 'tsv', 'txt'],
  shows: () => false,
  read: (file, { map }) => readCsv(file.bytes(), map?.csv ?? CSV),
};

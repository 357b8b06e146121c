import { isUtf8 } from 'node:buffer';
import { ClosewatchError } from '../../../model/errors.ts';

/** A field of a SWIFT message: `:61:…` with its lines. `message` counts the messages of the file from 0. */
export interface Field {
  readonly message: number;
  readonly tag: string;
  readonly lines: readonly string[];
}

/** Fields have at most 6 × 65 characters; banks are generous, files that are something else endless. */
const MAX_LINES = 200;
const MAX_LINE_BYTES = 16 * 1024;
const LINE_END = 0x0a;
const WINDOWS = new TextDecoder('windows-1252');

/** SWIFT has ASCII only; what banks put beside it is UTF-8 where it reads so, else Windows-1252. */
const decoded = (line: Buffer): string => (isUtf8(line) ? line.toString() : WINDOWS.decode(line));

async function* linesOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of bytes) {
    const all = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = all.indexOf(LINE_END); end >= 0; end = all.indexOf(LINE_END, start)) {
      yield decoded(all.subarray(start, end)).replace(/\r+$/, '');
      start = end + 1;
    }
    rest = all.subarray(start);
    if (rest.length > MAX_LINE_BYTES)
      throw new ClosewatchError(
        'import.invalid',
        `a line is longer than ${MAX_LINE_BYTES} bytes: this is no MT940`,
      );
  }
  if (rest.length > 0) yield decoded(rest).replace(/\r+$/, '');
}

/** The beginning of a message that goes over the net: `{1:F01…}{2:O940…}{4:`. */
const HEADERS = /^\ufeff?(?:\{[1-35]:[^}]*\}|\{3:(?:\{[^}]*\})*\})*(?:\{4:)?/;

/** The fields of a file of SWIFT messages, with or without their block headers. A message ends with `-`, or where the next begins. */
export async function* fieldsOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<Field> {
  let message = -1;
  let field: { message: number; tag: string; lines: string[] } | undefined;
  let isOpen = false;
  for await (const raw of linesOf(bytes)) {
    const line = raw.replace(HEADERS, '');
    const [, tag, first = ''] = /^:(\d{2}[A-Z]?):(.*)$/.exec(line) ?? [];
    if (tag !== undefined) {
      if (field) yield field;
      if (tag === '20' || !isOpen) message++;
      isOpen = true;
      field = { message, tag, lines: [first] };
    } else if (/^-(?:\}.*)?$/.test(line)) {
      if (field) yield field;
      field = undefined;
      isOpen = false;
    } else if (field && line !== '') {
      field.lines.push(line);
      if (field.lines.length > MAX_LINES)
        throw new ClosewatchError('import.invalid', `:${field.tag}: has more than ${MAX_LINES} lines`);
    }
  }
  if (field) yield field;
}

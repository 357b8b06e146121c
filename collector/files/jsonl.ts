import type { Readable } from 'node:stream';
import { ClosewatchError } from '../../model/errors.ts';
import { parseJsonTexts } from '../../model/json.ts';
import type { Row } from './row.ts';
import { checkedUtf8 } from './utf8.ts';

const MAX_LINE_CHARACTERS = 1 << 20;
const MAX_DEPTH = 16;

/** The rows of a file with one JSON object a line; members of inner objects are named `outer.inner`, numbers keep their digits. */
export async function* readJsonLines(bytes: Readable): AsyncGenerator<Row> {
  let rest = '';
  let number = 0;
  for await (const piece of checkedUtf8(bytes, ', as JSON is')) {
    const lines = `${rest}${piece.toString()}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield rowOf(line, ++number);
    if (rest.length > MAX_LINE_CHARACTERS)
      throw new ClosewatchError(
        'import.invalid',
        `line ${number + 1} is longer than ${MAX_LINE_CHARACTERS} characters`,
      );
  }
  if (rest.trim() !== '') yield rowOf(rest, ++number);
}

function rowOf(line: string, number: number): Row {
  const fields: Record<string, string> = Object.create(null);
  try {
    const value = parseJsonTexts(number === 1 ? line.replace(/^\uFEFF/, '') : line);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { number, fields, problem: 'is no JSON object' };
    flatten(value, '', fields, 0);
    return { number, fields };
  } catch (error) {
    return { number, fields, problem: `is not JSON: ${(error as Error).message.slice(0, 120)}` };
  }
}

function flatten(value: object, prefix: string, fields: Record<string, string>, depth: number): void {
  for (const [name, item] of Object.entries(value)) {
    const path = `${prefix}${name}`;
    if (item === null || item === undefined) continue;
    if (typeof item === 'object' && !Array.isArray(item) && depth < MAX_DEPTH)
      flatten(item, `${path}.`, fields, depth + 1);
    else fields[path] = typeof item === 'object' ? JSON.stringify(item) : String(item);
  }
}

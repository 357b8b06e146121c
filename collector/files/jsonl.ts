import type { Readable } from 'node:stream';
import { parseJsonTexts } from '../../model/json.ts';
import type { FormatReader } from './format.ts';
import { linesOf, MAX_LINE } from './lines.ts';
import type { Row } from './row.ts';

const MAX_DEPTH = 16;

/** The rows of a file with one JSON object a line; members of inner objects are named `outer.inner`, numbers keep their digits. */
export async function* readJsonLines(bytes: Readable): AsyncGenerator<Row> {
  let number = 0;
  for await (const { text } of linesOf(bytes, ', as JSON is')) yield rowOf(text, ++number);
}

function rowOf(line: string | undefined, number: number): Row {
  const fields: Record<string, string> = Object.create(null);
  if (line === undefined) return { number, fields, problem: `is longer than ${MAX_LINE} characters` };
  try {
    const value = parseJsonTexts(line);
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

export const jsonLinesFormat: FormatReader = {
  format: 'jsonl',
  title: 'JSON lines',
  hasRows: true,
  endings: ['jsonl', 'ndjson'],
  shows: () => false,
  read: (file) => readJsonLines(file.bytes()),
};

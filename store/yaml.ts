import { readFile } from 'node:fs/promises';
import { isNode, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import type { Problem } from '../model/errors.ts';

const MAX_FILE_BYTES = 1_048_576;

/** Where a value lies in a document. */
export type Path = readonly PropertyKey[];
/** `file:line:column` of a value, or of the innermost value around it that is there. */
export type Place = (path: Path, keyOnly?: boolean) => string;

/** As `parseYaml`, of a file; what is wrong is added to `problems`. Undefined when it cannot be used. */
export async function readYaml<T>(
  path: string,
  schema: z.ZodType<T>,
  problems: Problem[],
): Promise<{ value: T; place: Place } | undefined> {
  const text = await readFile(path, 'utf8');
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    problems.push({ where: path, what: `is larger than ${MAX_FILE_BYTES} bytes` });
    return undefined;
  }
  const read = parseYaml(path, text, schema);
  problems.push(...read.problems);
  return read.value === undefined ? undefined : { value: read.value, place: read.place };
}

/** The value of a YAML text checked by a zod schema, or what is wrong with it and where. `name` names the text in places. */
export function parseYaml<T>(
  name: string,
  text: string,
  schema: z.ZodType<T>,
): { value?: T; problems: Problem[]; place: Place } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const place: Place = (path) => at(offsetOf(document, path));
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      where: at(error.pos[0]),
      what: (error.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, ''),
    }));
    return { problems, place };
  }
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return { problems: [{ where: at(0), what: (error as Error).message }], place };
  }
  const checked = schema.safeParse(content);
  if (checked.success) return { value: checked.data, problems: [], place };
  return { problems: checked.error.issues.flatMap((issue) => problemsOfIssue(issue, [], place)), place };
}

type YamlDocument = ReturnType<typeof parseDocument>;

/** Where in the text the value at the path begins; an unknown key's own place is the key. */
function offsetOf(document: YamlDocument, path: Path): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return keyOffset(document, path.slice(0, length)) ?? node.range[0];
  }
  return 0;
}

/** For a field of a map, where its key stands: that is where people look. */
function keyOffset(document: YamlDocument, path: Path): number | undefined {
  const name = path.at(-1);
  if (typeof name !== 'string') return undefined;
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const items = (parent as { items?: { key?: unknown }[] } | null)?.items ?? [];
  const key = items.map((item) => item.key).find((node) => isNode(node) && String(node) === name);
  return isNode(key) ? key.range?.[0] : undefined;
}

function problemsOfIssue(issue: z.core.$ZodIssue, outer: Path, place: Place): Problem[] {
  const path = [...outer, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      where: place([...path, key]),
      what: `unknown field ${[...path, key].join('.')}`,
    }));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const what = [...new Set(issue.errors.flat().map((inner) => inner.message))].join('; or ');
    return [{ where: place(path), what: `${path.join('.')}: ${what}` }];
  }
  return [{ where: place(path), what: `${path.join('.') || 'the file'}: ${issue.message}` }];
}

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isNode, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { type Company, companiesFile } from '../../model/company.ts';
import { ClosewatchError, type Problem } from '../../model/errors.ts';
import { type Expectation, type Flow, flow as flowSchema } from '../../model/flow.ts';
import { GROUP_KEY_TYPES } from '../../model/key.ts';
import { STALE_SOURCE_RULE } from './rules.ts';

/** A flow and the file that it was read from. */
export interface LoadedFlow extends Flow {
  readonly file: string;
}

const MAX_FILE_BYTES = 1_048_576;
const COMPANIES = /^companies\.ya?ml$/;

/**
 * The flows of every `*.yaml` and `*.yml` file of a folder (not of folders in it), by file name. Throws `flow.invalid`
 * with every problem of every file at `file:line:column`: no YAML, an unknown or missing field, a rule id twice.
 */
export async function loadFlows(dir: string): Promise<LoadedFlow[]> {
  const problems: Problem[] = [];
  const flows: LoadedFlow[] = [];
  const places = new Map<string, string>();
  for (const file of (await yamlFiles(dir)).filter((name) => !COMPANIES.test(name))) {
    const read = await readYaml(join(dir, file), flowSchema, problems);
    if (!read) continue;
    flows.push({ ...read.value, file });
    problems.push(...problemsOf(read.value, read.place, places));
  }
  refuse(problems, dir);
  return flows;
}

/**
 * The companies of `companies.yaml` beside the flows; none when there is no such file. Throws `flow.invalid` like
 * `loadFlows`.
 */
export async function loadCompanies(dir: string): Promise<Company[]> {
  const problems: Problem[] = [];
  const companies: Company[] = [];
  for (const file of (await yamlFiles(dir)).filter((name) => COMPANIES.test(name))) {
    const read = await readYaml(join(dir, file), companiesFile, problems);
    for (const [index, company] of (read?.value.companies ?? []).entries()) {
      if (companies.some(({ key }) => key === company.key)) {
        const where = read?.place(['companies', index, 'key']) ?? file;
        problems.push({ where, what: `company ${company.key} is there twice` });
      }
      companies.push(company);
    }
  }
  refuse(problems, dir);
  return companies;
}

async function yamlFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((cause: unknown) => {
    throw new ClosewatchError('flow.invalid', `cannot read the folder of flows ${dir}`, { cause });
  });
  return entries
    .filter((entry) => !entry.isDirectory() && /\.ya?ml$/.test(entry.name))
    .map((entry) => entry.name)
    .sort();
}

function refuse(problems: readonly Problem[], dir: string): void {
  if (problems.length === 0) return;
  const list = problems.map(({ where, what }) => `${where}: ${what}`).join('\n');
  throw new ClosewatchError('flow.invalid', `the flows in ${dir} cannot be used:\n${list}`, { problems });
}

type Path = readonly PropertyKey[];
/** `file:line:column` of a value, or of the innermost value around it that is there. */
type Place = (path: Path, keyOnly?: boolean) => string;

async function readYaml<T>(
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

/** What a schema cannot say: rule ids are unique over all files, and keys that never join cannot make a case. */
function problemsOf(flow: Flow, place: Place, places: Map<string, string>): Problem[] {
  return flow.expectations.flatMap((rule, index) => {
    const at = (...rest: string[]): string => place(['expectations', index, ...rest]);
    const found: Problem[] = [];
    const before = places.get(rule.id);
    if (rule.id === STALE_SOURCE_RULE) found.push({ where: at('id'), what: `rule ${rule.id} is built in` });
    else if (before) found.push({ where: at('id'), what: `rule ${rule.id} is already at ${before}` });
    else places.set(rule.id, at('id'));
    found.push(...(rule.kind === 'no-duplicate' ? unrepeatable(rule, at('by')) : unjoinable(rule, at('by'))));
    return found;
  });
}

const joinsNothing = (type: string): boolean => GROUP_KEY_TYPES.has(type) || type === 'approx';

const unjoinable = (rule: Expectation, where: string): Problem[] =>
  rule.by
    .filter(joinsNothing)
    .map((type) => ({ where, what: `by: a key of type ${type} joins no case: many documents share it` }));

/** A rule against duplicates needs one key that two subjects can have in common, else it can never find any. */
const unrepeatable = ({ by }: Expectation, where: string): Problem[] =>
  by.every((type) => joinsNothing(type) || type === 'subject')
    ? [{ where, what: `by: two subjects are never the same by ${by.join(' or ')}: name another key type` }]
    : [];

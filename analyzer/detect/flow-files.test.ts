import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { ClosewatchError } from '../../model/errors.ts';
import { loadCompanies, loadFlows } from './flow-files.ts';
import { STALE_SOURCE_RULE } from './rules.ts';
import { FILE_SCHEMAS, schemaText } from './schemas.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flows-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const write = (name: string, text: string): void => writeFileSync(join(dir, name), text);
const FLOW = `flow: ap
name: Bills
owner: ap
expectations:
  - id: MP-02
    kind: response
    when: { types: [bill.received] }
    expect: { types: [bill.posted] }
    within: 3bd
`;
async function problems(load: Promise<unknown>): Promise<string[]> {
  const error = (await load.catch((thrown: unknown) => thrown)) as ClosewatchError;
  expect(error.code).toBe('flow.invalid');
  return error.problems.map(({ where, what }) => `${where.slice(dir.length + 1)} ${what}`);
}

test('flows are read by file name, with the defaults filled in', async () => {
  write('b.yml', FLOW.replace('flow: ap', 'flow: second').replace('MP-02', 'MP-03'));
  write('a.yaml', FLOW);
  write('companies.yaml', 'companies: [{ key: acme, timezone: Europe/Brussels }]');
  write('notes.txt', 'no flow');
  const flows = await loadFlows(dir);
  expect(flows.map(({ file, flow }) => [file, flow])).toEqual([
    ['a.yaml', 'ap'],
    ['b.yml', 'second'],
  ]);
  expect(flows[0]?.expectations[0]).toMatchObject({
    version: 1,
    by: ['subject'],
    when: { pick: 'first' },
    expect: { since: 'anchor' },
    enabled: true,
  });
  expect(await loadCompanies(dir)).toMatchObject([
    { key: 'acme', currency: 'EUR', timezone: 'Europe/Brussels' },
  ]);
});

test('a folder without companies.yaml names no companies', async () => {
  expect(await loadCompanies(dir)).toEqual([]);
});

test('every problem is told with file, line and column', async () => {
  write('a.yaml', FLOW.replace('within: 3bd', 'within: 3 days').replace('owner: ap', 'ownr: ap'));
  write('b.yaml', FLOW.replace('types: [bill.posted]', 'types: [bill.posted], sinc: ever'));
  const found = await problems(loadFlows(dir));
  expect(found).toEqual([
    'a.yaml:1:1 owner: Invalid input: expected string, received undefined',
    'a.yaml:9:5 expectations.0.within: must be a duration such as 30m, 4h, 14d, 3bd or 6bh',
    'a.yaml:3:1 unknown field ownr',
    'b.yaml:8:37 unknown field expectations.0.expect.sinc',
  ]);
});

test('text that is no YAML is told with its line', async () => {
  write('a.yaml', `flow: ap\nname: [unclosed\n`);
  const found = await problems(loadFlows(dir));
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(/^a\.yaml:\d+:\d+ /);
});

test.each([
  ['an empty file', '', /^a\.yaml:1:1 the file: Invalid input/],
  ['an unknown kind', FLOW.replace('kind: response', 'kind: hope'), /^a\.yaml:6:5 expectations\.0\.kind/],
  [
    'a key that joins nothing',
    FLOW.replace('kind: response', 'by: [trace]\n    kind: response'),
    /^a\.yaml:6:5 by: a key of type trace/,
  ],
  [
    'a rule against duplicates that no key can break',
    FLOW.replace(
      /kind: response[\s\S]*/,
      'kind: no-duplicate\n    by: [trace, approx]\n    when: { types: [bill.posted] }\n',
    ),
    /^a\.yaml:7:5 by: two subjects are never the same by trace or approx/,
  ],
  [
    'the id of a built-in rule',
    FLOW.replace('id: MP-02', 'id: DC-02'),
    /^a\.yaml:5:5 rule DC-02 is built in/,
  ],
  [
    'an alias bomb',
    `a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n`,
    /alias/i,
  ],
])('%s is refused', async (_, text, message) => {
  write('a.yaml', text);
  expect((await problems(loadFlows(dir)))[0]).toMatch(message);
});

test('a rule id may be used once over all files', async () => {
  write('a.yaml', FLOW);
  write('b.yaml', FLOW);
  expect(await problems(loadFlows(dir))).toEqual([
    `b.yaml:5:5 rule MP-02 is already at ${join(dir, 'a.yaml')}:5:5`,
  ]);
});

test('a company may be named once', async () => {
  write('companies.yaml', 'companies:\n  - key: acme\n  - key: acme\n');
  expect(await problems(loadCompanies(dir))).toEqual(['companies.yaml:3:5 company acme is there twice']);
});

const ROOT = join(import.meta.dirname, '../..');

test.each(Object.keys(FILE_SCHEMAS) as (keyof typeof FILE_SCHEMAS)[])(
  'schemas/%s is what the program checks',
  (name) => {
    expect(JSON.parse(readFileSync(join(ROOT, 'schemas', name), 'utf8'))).toEqual(
      JSON.parse(schemaText(name)),
    );
  },
);

const numbered = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${String(index + 1).padStart(2, '0')}`);
/** The default rules, but for the one that is built in. */
const WANTED = [
  ...numbered('MP', 20),
  ...numbered('SA', 10),
  ...numbered('CB', 7),
  ...numbered('TX', 3),
  ...numbered('DC', 7).filter((id) => id !== STALE_SOURCE_RULE),
  ...numbered('CT', 10),
  ...numbered('IN', 9),
  'CO-01',
  'PM-01',
  'DU-01',
];

test('the flows that come with Closewatch load, and satisfy the published schema', async () => {
  const flows = await loadFlows(join(ROOT, 'flows'));
  const ids = new Set(flows.flatMap((flow) => flow.expectations.map((rule) => rule.id)));
  for (const id of WANTED) expect(ids).toContain(id);
  for (const one of flows) {
    expect([one.flow, one.owner, one.runbook]).toEqual([
      one.flow,
      expect.stringMatching(/./),
      expect.stringMatching(/^docs\/runbooks\.md#/),
    ]);
    for (const rule of one.expectations)
      expect([rule.id, rule.name]).toEqual([rule.id, expect.stringMatching(/./)]);
  }
  const check = new Ajv({ strict: false, logger: false }).compile(JSON.parse(schemaText('flow.schema.json')));
  for (const { file } of flows) {
    check(parse(readFileSync(join(ROOT, 'flows', file), 'utf8')));
    expect(check.errors ?? []).toEqual([]);
  }
  expect(check({ flow: 'x', name: 'x', owner: 'x', nonsense: 1 })).toBe(false);
});

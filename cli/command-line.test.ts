import { defineCommand } from 'citty';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runCommandLine } from './command-line.ts';

let ran: Record<string, unknown>[] = [];
let said = '';
const load = defineCommand({
  meta: { name: 'load', description: 'Load a file' },
  args: {
    file: { type: 'positional', description: 'the file' },
    map: { type: 'string', required: true, description: 'the map' },
    json: { type: 'boolean', description: 'as JSON' },
  },
  run: ({ args }) => void ran.push({ file: args.file, map: args.map, json: args.json }),
});
const root = defineCommand({
  meta: { name: 'closewatch', version: '1.2.3' },
  subCommands: { load, list: defineCommand({ meta: { name: 'list' }, subCommands: { load } }) },
});
const run = async (line: string): Promise<unknown> => {
  process.exitCode = undefined;
  await runCommandLine(root, line.split(' ').filter(Boolean));
  return process.exitCode;
};

beforeEach(() => {
  [ran, said] = [[], ''];
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      said += text;
      return true;
    });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

test('a right command line runs its command, options before or after the argument', async () => {
  expect(await run('load a.csv --map m.yaml --json')).toBeUndefined();
  expect(await run('load --map=m.yaml a.csv')).toBeUndefined();
  expect(await run('list load --map m.yaml -- -odd.csv')).toBeUndefined();
  expect(ran).toEqual([
    { file: 'a.csv', map: 'm.yaml', json: true },
    { file: 'a.csv', map: 'm.yaml', json: undefined },
    { file: '-odd.csv', map: 'm.yaml', json: undefined },
  ]);
});

test.each([
  ['load a.csv --map m.yaml --jsn', '--jsn'],
  ['load a.csv --map m.yaml --as_of=2026-01-01', '--as_of'],
  ['load a.csv --map m.yaml -j', '-j'],
  ['load a.csv --map m.yaml --json=yes', '--json'],
  ['load a.csv --map --json', '--map'],
  ['load a.csv --map', '--map'],
  ['load a.csv --map=', '--map has no value'],
  ['load a.csv', '--map'],
  ['load --map m.yaml', 'FILE'],
  ['load a.csv b.csv --map m.yaml', 'b.csv'],
  ['lod a.csv', 'lod'],
  ['--json load a.csv --map m.yaml', '--json'],
  ['list', 'load'],
  ['toString', 'toString'],
  ['', 'load'],
])('%j runs nothing, says what is wrong and exits with 2', async (line, what) => {
  expect(await run(line)).toBe(2);
  expect(ran).toEqual([]);
  expect(said).toContain(what);
});

test('help is printed for the command that is named, and nothing runs', async () => {
  expect(await run('list load --map --help')).toBeUndefined();
  expect(ran).toEqual([]);
  expect(said).toContain('closewatch list load');
  expect(said).not.toContain('\u001b');
  expect(await run('--version')).toBeUndefined();
  expect(said).toContain('1.2.3');
});

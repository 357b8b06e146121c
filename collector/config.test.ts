import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { temporaryFolder } from '../test/harness.ts';
import { readCollectorConfig } from './config.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const read = (text: string) => {
  writeFileSync(join(folder.path, 'collector.yaml'), text);
  return readCollectorConfig(folder.path);
};

test('terms of sources are read in milliseconds', async () => {
  const { sources } = await read(
    'sources:\n  /ocr: { lateness: 5m, silence: 2h }\n  /odoo: { domain: master, authoritative: [bill] }\n',
  );
  expect(sources).toEqual({
    '/ocr': { lateness: 300_000, silence: 7_200_000 },
    '/odoo': { domain: 'master', authoritative: ['bill'] },
  });
});

test.each([
  ['business time', 'sources:\n  /ocr:\n    silence: 1bd\n', ':3:5', 'elapsed time'],
  ['no duration', 'sources:\n  /ocr:\n    lateness: soon\n', ':3:5', 'elapsed time'],
  [
    'a type for a kind',
    'sources:\n  /ocr:\n    authoritative: [bill.posted]\n',
    ':3:21',
    'a kind of objects',
  ],
  ['an unknown field', 'sources:\n  /ocr:\n    quiet: 1h\n', ':3:5', 'unknown field'],
])('%s is refused, with its place', async (_, text, place, what) => {
  const error = await read(text).then(
    () => undefined,
    (refused: unknown) => refused as { code: string; problems: { where: string; what: string }[] },
  );
  expect(error).toMatchObject({ code: 'config.invalid' });
  expect(error?.problems[0]?.where).toMatch(new RegExp(`${place}$`));
  expect(error?.problems[0]?.what).toContain(what);
});

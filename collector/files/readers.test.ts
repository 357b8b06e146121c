import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { ClosewatchError } from '../../model/errors.ts';
import { eventType } from '../../model/event.ts';
import { temporaryFolder } from '../../test/harness.ts';
import { activitiesOf, slugOf } from './activities.ts';
import { amountOf } from './amounts.ts';
import { readCases } from './cases.ts';
import { readCsv } from './csv.ts';
import type { ReadOptions } from './format.ts';
import { readerOf } from './formats.ts';
import { IdenticalRows } from './identical-rows.ts';
import { read } from './items.ts';
import { readJsonLines } from './jsonl.ts';
import { openLogFile } from './log-file.ts';
import { importMap, importMapJsonSchema, parseImportMap } from './map.ts';
import type { Row } from './row.ts';
import { readXes } from './xes.ts';

/** The rows of a text, or bytes, that comes in pieces of 7 bytes. */
async function rowsOf(
  read: (bytes: Readable) => AsyncIterable<Row>,
  text: string | Uint8Array,
): Promise<Row[]> {
  const bytes = Buffer.from(text);
  const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) =>
    bytes.subarray(i * 7, i * 7 + 7),
  );
  const rows: Row[] = [];
  for await (const row of read(Readable.from(pieces, { objectMode: false }))) rows.push(row);
  return rows;
}
const csv = { delimiter: ',', quote: '"', encoding: 'utf-8' as const };

const readOptions = (more: Partial<ReadOptions> = {}): ReadOptions => ({
  map: undefined,
  source: 's',
  columns: undefined,
  now: 0n,
  clickhouse: undefined,
  bank: undefined,
  note() {},
  complete() {},
  ...more,
});

describe('rows', () => {
  test('CSV: quotes, line breaks inside, BOM, rows of another width', async () => {
    const rows = await rowsOf((bytes) => readCsv(bytes, csv), '\uFEFFa,b\n1,"x, ""é""\ny"\n2\n\n3,z\n');
    expect(rows).toMatchObject([
      { number: 1, fields: { a: '1', b: 'x, "é"\ny' } },
      { number: 2, problem: 'has 1 fields, the header 2' },
      { number: 3, fields: { a: '3', b: 'z' } },
    ]);
    await expect(rowsOf((bytes) => readCsv(bytes, csv), 'a,a\n1,2\n')).rejects.toThrow(/two columns "a"/);
  });

  test('CSV: a file without a header is refused; what no CSV is, without the bytes that a terminal obeys', async () => {
    await expect(rowsOf((bytes) => readCsv(bytes, csv), '')).rejects.toThrow('the file is empty');
    expect(await rowsOf((bytes) => readCsv(bytes, csv), 'a,b\n')).toEqual([]);
    const folder = temporaryFolder();
    try {
      const path = join(folder.path, 'picture.csv');
      writeFileSync(path, 'a,b\n\u001b[31mred\u0000"x",1\n');
      const file = await openLogFile(path);
      const { reader } = readerOf(file, undefined, true);
      const readAll = async (): Promise<void> => {
        for await (const _ of read(file, reader, readOptions()));
      };
      const error = await readAll().catch((thrown: ClosewatchError) => thrown);
      expect(error).toMatchObject({
        code: 'import.invalid',
        message: expect.stringContaining('read as CSV'),
      });
      expect((error as ClosewatchError).message).toMatch(/^\P{C}+$/u);
    } finally {
      folder.remove();
    }
  });

  test('JSON lines: inner members by dots, numbers to the digit, faulty lines told', async () => {
    const rows = await rowsOf(
      readJsonLines,
      '{"a":{"b":34.33634285099345000,"c":null},"l":[1]}\nno\n\n[1]\n{"n":9007199254740993}',
    );
    expect(rows).toMatchObject([
      { number: 1, fields: { 'a.b': '34.33634285099345000', l: '["1"]' } },
      { number: 2, problem: expect.stringMatching(/^is not JSON/) },
      { number: 3, problem: 'is no JSON object' },
      { number: 4, fields: { n: '9007199254740993' } },
    ]);
  });

  test('XES: attributes of trace and event, nested ones, nothing of globals', async () => {
    const rows = await rowsOf(
      readXes,
      `<?xml version="1.0"?><log xes.version="1.0"><extension name="Concept" prefix="concept" uri="u"/>
      <global scope="event"><string key="concept:name" value="none"/></global><string key="of:log" value="x"/>
      <trace><string key="concept:name" value="case &amp; 1"/><float key="cost" value="1.50"/>
        <event><string key="concept:name" value="Pay"/><date key="time:timestamp" value="2018-01-02T12:53:00.000+01:00"/>
          <string key="org:resource" value="ann"><string key="team" value="ap"/></string></event>
        <event><string key="concept:name" value="Close"/></event></trace>
      <trace><event><string key="concept:name" value="Pay"/></event><string key="concept:name" value="late"/></trace></log>`,
    );
    expect(rows.map((row) => ({ ...row.fields }))).toEqual([
      {
        'concept:name': 'Pay',
        'time:timestamp': '2018-01-02T12:53:00.000+01:00',
        'org:resource': 'ann',
        'org:resource.team': 'ap',
        'case:concept:name': 'case & 1',
        'case:cost': '1.50',
      },
      { 'concept:name': 'Close', 'case:concept:name': 'case & 1', 'case:cost': '1.50' },
      { 'concept:name': 'Pay', 'case:concept:name': 'late' },
    ]);
    await expect(rowsOf(readXes, '<html></html>')).rejects.toThrow(/root element is html/);
    await expect(rowsOf(readXes, '<log><trace></log>')).rejects.toThrow();
  });
});

describe('encodings', () => {
  const log = (name: string): string =>
    `<log><trace><string key="concept:name" value="${name}"/><event><string key="concept:name" value="Pay"/></event></trace></log>`;
  const caseOf = async (bytes: Uint8Array): Promise<string | undefined> =>
    (await rowsOf(readXes, bytes))[0]?.fields['case:concept:name'];
  const declared = (encoding: string, name: string): string =>
    `<?xml version="1.0" encoding="${encoding}"?>\n${log(name)}`;

  test.each([
    ['a declaration', Buffer.from(declared('ISO-8859-1', 'é1'), 'latin1')],
    ['a declaration in other quotes', Buffer.from(declared('x', 'é1').replace('"x"', "'latin1'"), 'latin1')],
    ['a declaration of UTF-8', Buffer.from(declared('UTF-8', 'é1'))],
    ['nothing', Buffer.from(log('é1'))],
    ['a mark of UTF-8', Buffer.from(`\ufeff${declared('UTF-8', 'é1')}`)],
    ['a mark of UTF-16', Buffer.from(`\ufeff${declared('UTF-16', 'é1')}`, 'utf16le')],
    ['a mark of UTF-16, big end first', Buffer.from(`\ufeff${declared('UTF-16', 'é1')}`, 'utf16le').swap16()],
  ])('XES by %s', async (_, bytes) => {
    expect(await caseOf(bytes)).toBe('é1');
  });

  test('XES: what is not known, or not what it says', async () => {
    await expect(caseOf(Buffer.from(declared('EBCDIC-X', 'a')))).rejects.toThrow(
      'the XES log has an encoding that is not known: EBCDIC-X',
    );
    await expect(caseOf(Buffer.from(declared('UTF-8', 'é1'), 'latin1'))).rejects.toThrow(
      'the file is not UTF-8 in line 2; say its encoding in the XML declaration',
    );
    await expect(caseOf(Buffer.from(declared('euc-jp', 'é1'), 'latin1'))).rejects.toThrow(
      'the XES log is not euc-jp, as it says',
    );
  });

  test('CSV and JSON lines that are not UTF-8 are refused with the line; characters may be cut anywhere', async () => {
    const many = 'a,b\n1,2\n'.repeat(3);
    await expect(
      rowsOf((bytes) => readCsv(bytes, csv), Buffer.from(`${many}é1,x\n`, 'latin1')),
    ).rejects.toThrow('the file is not UTF-8 in line 7; set csv.encoding in the map');
    const latin1 = { ...csv, encoding: 'latin1' as const };
    const rows = await rowsOf((bytes) => readCsv(bytes, latin1), Buffer.from('a\né1\n', 'latin1'));
    expect(rows[0]?.fields).toEqual({ a: 'é1' });
    await expect(rowsOf(readJsonLines, Buffer.from('{"a":1}\n{"a":"é"}', 'latin1'))).rejects.toThrow(
      'the file is not UTF-8 in line 2, as JSON is',
    );
    await expect(rowsOf(readJsonLines, Buffer.from('{"a":"x"}é', 'utf8').subarray(0, -1))).rejects.toThrow(
      'not UTF-8 in line 1',
    );
    const wide = '𝄞é発'.repeat(9);
    expect((await rowsOf(readJsonLines, `{"a":"${wide}"}`))[0]?.fields).toEqual({ a: wide });
    expect((await rowsOf((bytes) => readCsv(bytes, csv), `a\n${wide}\n`))[0]?.fields).toEqual({ a: wide });
  });
});

test('activities: exact, then globs, then what otherwise says', () => {
  const map = { kind: 'po', types: { 'Pay*': 'payment.sent', 'Pay late': 'payment.overdue', Noise: 'skip' } };
  const slug = activitiesOf({ ...map, otherwise: 'slug' });
  expect(['Pay now', 'Pay late', 'Noise', 'Créé (SRM)'].map((name) => slug.typeOf(name))).toEqual([
    'payment.sent',
    'payment.overdue',
    'skip',
    'po.cree_srm',
  ]);
  expect(slug.typeOf('cree  srm')).toBe('po.cree_srm');
  expect(slug.warnings()).toEqual(['"Créé (SRM)" and "cree  srm" both become po.cree_srm']);
  expect(activitiesOf({ ...map, otherwise: 'fail' }).typeOf('Other')).toBeUndefined();
  expect(slugOf('支付', 100)).toMatch(/^x[0-9a-f]{8}$/);
});

test('a long activity is cut where an event type ends, and names alike up to there stay apart', () => {
  const map = { types: {}, otherwise: 'slug' as const };
  const name = `Declaration ${'awaiting approval '.repeat(8)}by`;
  for (const kind of ['po', 'k'.repeat(64)]) {
    const { typeOf, warnings } = activitiesOf({ ...map, kind });
    const types = ['supervisor', 'director'].map((who) => typeOf(`${name} ${who}`) ?? '');
    expect(new Set(types).size).toBe(2);
    for (const type of types) {
      expect(eventType.safeParse(type).success).toBe(true);
      expect(type).toMatch(/^[a-z]+\.declaration_await[a-z_]*[a-z]_[0-9a-f]{8}$/);
      expect(type.length).toBeGreaterThan(118);
    }
    expect(warnings()).toEqual([]);
  }
  const whole = 'Permit FINAL_APPROVED by SUPERVISOR after the second reminder of the director';
  expect(activitiesOf({ ...map, kind: 'permit' }).typeOf(whole)).toBe(
    'permit.permit_final_approved_by_supervisor_after_the_second_reminder_of_the_director',
  );
});

test('a key of the file of cases is as short as one of the log', async () => {
  const { map } = parseImportMap(
    'source: s\ncompany: c\ncolumns: {}\ncases: { file: f, case: id, keys: [{ type: po, columns: [po] }] }\n',
    'm.yaml',
  );
  const bad: string[] = [];
  async function* rows(): AsyncGenerator<Row> {
    yield { number: 1, fields: { id: 'a', po: 'x'.repeat(512) } };
    yield { number: 2, fields: { id: 'b', po: 'x'.repeat(513) } };
    yield { number: 3, fields: { id: 'c' } };
  }
  const cases = await readCases(rows(), map, (row, what) => bad.push(`${row} ${what}`));
  expect(bad).toEqual(['2 po: is longer than 512']);
  expect(cases.get('a')?.keys).toEqual([{ type: 'po', value: 'x'.repeat(512) }]);
  expect(cases.get('c')?.keys).toEqual([]);
});

test('amounts keep their digits', () => {
  expect(amountOf('34.33634285099345', '.')).toBe('34.33634285099345');
  expect(amountOf(' 1,234.50 ', '.')).toBe('1234.50');
  expect(amountOf('-1.234,50', ',')).toBe('-1234.50');
  expect(amountOf('1E-7', '.')).toBe('0.0000001');
  expect(amountOf('', '.')).toBeUndefined();
  expect(amountOf('1 234 567,5', ',')).toBe('1234567.5');
  expect(amountOf("1'234.5", '.')).toBe('1234.5');
  expect(amountOf('1.5E3', '.')).toBe('1500');
  expect(amountOf('1,5', '.')).toHaveProperty('wrong');
  // Not grouped by threes: a decimal comma read as grouping would make it a thousand times as much.
  expect(amountOf('1234,567', '.')).toHaveProperty('wrong');
  expect(amountOf('1,234 567', '.')).toHaveProperty('wrong');
  expect(amountOf('1234.567', ',')).toHaveProperty('wrong');
  expect(amountOf('1234.5', ',')).toHaveProperty('wrong');
  expect(amountOf('NaN', '.')).toHaveProperty('wrong');
});

test('identical rows are numbered, however many rows there are', () => {
  const rows = new IdenticalRows();
  const hash = (n: number) => createHash('sha256').update(`${n}`).digest();
  for (let n = 0; n < 20_000; n++) expect(rows.next(hash(n))).toBe(0);
  expect([7, 7, 19_999].map((n) => rows.next(hash(n)))).toEqual([1, 2, 1]);
});

describe('the map', () => {
  test('its published JSON Schema is the one in use', () => {
    const published = new URL('../../schemas/import-map.schema.json', import.meta.url);
    expect(JSON.parse(readFileSync(published, 'utf8'))).toEqual(
      JSON.parse(JSON.stringify(importMapJsonSchema())),
    );
  });

  const good = 'source: s\ncompany: c\ncolumns: { case: a, activity: b, time: t }\n';
  const problems = (text: string) => {
    try {
      parseImportMap(text, 'm.yaml');
      return [];
    } catch (error) {
      return (error as ClosewatchError).problems.map(({ where, what }) => `${where} ${what}`);
    }
  };
  test('a good one, with defaults', () => {
    expect(parseImportMap(good, 'm.yaml').map).toMatchObject({
      kind: 'activity',
      otherwise: 'slug',
      decimal: '.',
    });
    expect(importMap.parse({ source: 's', company: 'c', columns: {} }).columns.timeFormat).toBe('iso');
  });
  test.each([
    [`${good}curency: EUR`, /^m\.yaml:4:1 unknown field curency/],
    [`${good}kind: A b`, /^m\.yaml:4:1 kind: must be a lower-case word/],
    [`${good}timezone: Mars/Olympus`, /^m\.yaml:4:1 timezone: must be an IANA/],
    [`${good}types: { Pay: Paid }`, /^m\.yaml:4:10 types\.Pay: must be skip or an event type/],
    [`${good}completeUpTo: tomorrow`, /^m\.yaml:4:1 completeUpTo: must be last-event/],
    ['source: s\ncolumns: { case: a }', /^m\.yaml:2:1 columns: names no company/],
    [good.replace('time: t', 'time: t, amount: x'), /^m\.yaml:3:1 columns: amounts need a currency/],
    [good.replace('time: t', 'time: t, timeFormat: qq'), /^m\.yaml:3:43 columns\.timeFormat: /],
    [`${good}source: s`, /^m\.yaml:4:1 /],
    ['a: [', /^m\.yaml:1:/],
  ])('%s', (text, expected) => {
    expect(problems(text)[0]).toMatch(expected);
  });
});

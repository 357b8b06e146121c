import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ClosewatchError } from '../../model/errors.ts';
import type { FinanceEvent } from '../../model/event.ts';
import { parseInstant } from '../../model/time.ts';
import type { ClickHouse } from '../../store/clickhouse/client.ts';
import { type FinanceEventStore, openFinanceEvents } from '../../store/clickhouse/finance-events.ts';
import { createCounters } from '../../store/counters.ts';
import { listSources } from '../../store/postgres/sources.ts';
import { fixtures, temporaryFolder } from '../../test/harness.ts';
import { type TemporaryStores, temporaryStores } from '../../test/temporary-stores.ts';
import { createBlocks } from './blocks.ts';
import { createLogDepot } from './depot.ts';
import { importEventLog } from './import.ts';
import { importRequest } from './request.ts';

let stores: TemporaryStores;
let folder: ReturnType<typeof temporaryFolder>;
beforeAll(async () => {
  stores = await temporaryStores();
});
afterAll(() => stores?.remove());
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const put = (name: string, text: string): string => {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
};
async function stored(source: string): Promise<FinanceEvent[]> {
  const events: FinanceEvent[] = [];
  for await (const event of stores.events.inBatches(0n, 1n << 62n))
    if (event.source === source) events.push(event);
  return events;
}
/** The join keys of the source's events must be there, each once. */
async function keysOf(source: string): Promise<number> {
  const subjects = new Set((await stored(source)).map((event) => `subject:${source}:${event.subject}`));
  return (await stores.events.byJoinKeys([...subjects])).length;
}

/** One case of RequestForPayment, letter by letter and digit by digit. */
async function exactCase(): Promise<void> {
  const ofCase = await stores.events.byJoinKeys(['subject:RequestForPayment:requestforpayment148214']);
  expect(ofCase[0]).toMatchObject({
    subject: 'requestforpayment148214',
    type: 'request.request_for_payment_submitted_by_employee',
    time: '2017-01-09T08:17:18Z',
    amount: '34.33634285099345',
    ingestPath: 'file',
    actorId: 'STAFF MEMBER',
    attributes: {
      activity: 'Request For Payment SUBMITTED by EMPLOYEE',
      role: 'EMPLOYEE',
      Project: 'project 148216',
    },
  });
}

const universityMap = (source: string, cases: string): string => `
source: ${source}
company: uni
currency: EUR
kind: request
columns: { case: case_id, activity: activity, time: timestamp, sequence: pos, actor: resource, role: role, eventId: event_id }
cases: { file: ${cases}, case: case_id, amount: RequestedAmount }
`;

describe.skipIf(!fixtures)('logs of a university (needs the fixtures)', () => {
  const logs = join(fixtures ?? '', 'eventlogs');
  test.each([
    { name: 'RequestForPayment', events: 36_072, cases: 6_760 },
    { name: 'PrepaidTravelCost', events: 17_507, cases: 2_007 },
  ])(
    '$name: every event, with the attributes of its case; twice adds nothing',
    async ({ name, events, cases }) => {
      const file = join(logs, `${name}.events.csv.gz`);
      const map = put('map.yaml', universityMap(name, `${name}.cases.jsonl.gz`));
      const first = await importEventLog({ file, map }, stores);
      expect(first).toMatchObject({
        rowsRead: events,
        stored: events,
        known: 0,
        skipped: 0,
        bad: 0,
        badCases: 0,
      });
      const all = await stored(name);
      expect(all).toHaveLength(events);
      expect(new Set(all.map((event) => event.id)).size).toBe(events);
      expect(new Set(all.map((event) => event.subject)).size).toBe(cases);
      expect(all.every((event) => event.amount && event.currency === 'EUR')).toBe(true);
      const again = await importEventLog({ file, map }, stores);
      expect(again).toMatchObject({ rowsRead: events, stored: 0, known: events, bad: 0 });
      expect(await stored(name)).toHaveLength(events);
      expect(await keysOf(name)).toBe(events);
      if (name === 'RequestForPayment') await exactCase();
      const [source] = (await listSources(stores.postgres)).filter((stream) => stream.source === name);
      expect(source).toMatchObject({ company: 'uni', kind: 'imported', completeWithoutLimit: true });
    },
  );

  test('a log with all columns of BPI 2019', async () => {
    const map = put(
      'map.yaml',
      `source: bpi2019
currency: EUR
types:
  "Record Goods Receipt": goodsreceipt.recorded
  "*Invoice*": bill.received
kind: po
columns:
  case: "case:concept:name"
  activity: "concept:name"
  time: "time:timestamp"
  actor: "org:resource"
  company: "case:Company"
  amount: "Cumulative net worth (EUR)"
  party: "case:Vendor"
  attributes: ["case:Item Category"]
  keys: [{ type: po, columns: ["case:Purchasing Document"] }, { type: poline, columns: ["case:Purchasing Document", "case:Item"] }]
`,
    );
    const file = join(logs, 'bpi2019_full_schema_sample.csv');
    expect(await importEventLog({ file, map }, stores)).toMatchObject({ rowsRead: 166, stored: 166, bad: 0 });
    const [first] = await stores.events.byJoinKeys(['po:companyID_0000:2000000000']);
    expect(first).toMatchObject({
      type: 'po.srm_created',
      company: 'companyID_0000',
      amount: '298.0',
      partyKey: 'vendorID_0000',
      attributes: { 'case:Item Category': '3-way match, invoice before GR' },
    });
  });

  test('a log without times is refused clearly', async () => {
    const file = join(logs, 'p2p_set1.events.csv.gz');
    const head = 'source: p2p\ncompany: c\ncolumns: { case: case_id, activity: activity, sequence: pos';
    await expect(importEventLog({ file, map: put('a.yaml', `${head} }`) }, stores)).rejects.toThrow(
      /columns.time is needed/,
    );
    await expect(
      importEventLog({ file, map: put('b.yaml', `${head}, time: timestamp }`) }, stores),
    ).rejects.toThrow(/no column "timestamp"; it has case_id, pos, activity, user/);
    expect(await stored('p2p')).toEqual([]);
  });
});

const MAP = `source: small
company: acme
currency: EUR
timezone: Europe/Brussels
columns: { case: case, activity: activity, time: time, amount: amount }
`;

describe('a small log', () => {
  test('bad rows are told with row, column and reason; the others are stored; strict stores nothing', async () => {
    const map = put('map.yaml', MAP.replace('source: small', 'source: faults'));
    const file = put(
      'log.csv',
      `case,activity,time,amount
a,Order,2026-03-01 10:00:00,10.10
,Order,2026-03-01 10:00:00,
b,Order,yesterday,
c,Order,2026-03-01 10:00:00,ten
d,Order,2026-03-01 10:00:00
`,
    );
    await expect(importEventLog({ file, map, strict: true }, stores)).rejects.toMatchObject({
      code: 'import.invalid',
    });
    expect(await stored('faults')).toEqual([]);
    const counters = createCounters();
    const result = await importEventLog({ file, map }, { ...stores, counters });
    expect(result).toMatchObject({ rowsRead: 5, stored: 1, bad: 4 });
    expect(result.reasons).toEqual({ amount: 1, case: 1, time: 1, unreadable: 1 });
    const counted = counters.snapshot().filter(({ labels }) => labels.outcome !== undefined);
    expect(counted.map(({ labels, value }) => [labels.outcome, value])).toEqual([
      ['bad', 4],
      ['bad-case', 0],
      ['known', 0],
      ['skipped', 0],
      ['stored', 1],
    ]);
    expect(result.problems.map(({ where, what }) => `${where}: ${what}`)).toEqual([
      'log.csv, row 2: case: the case is missing',
      'log.csv, row 3: time: is not a time of the format iso: "yesterday"',
      'log.csv, row 4: amount: is no decimal number: "ten"',
      'log.csv, row 5: has 3 fields, the header 4',
    ]);
    expect(await stored('faults')).toMatchObject([
      { subject: 'a', time: '2026-03-01T09:00:00Z', amount: '10.10' },
    ]);
  });

  test('identical rows are all kept, and a longer export adds only what is new', async () => {
    const map = put('map.yaml', MAP);
    const rows = [
      'a,Order,2026-03-01T10:00:00Z,1',
      'a,Order,2026-03-01T10:00:00Z,1',
      'a,Pay,2026-03-02T10:00:00Z,1',
    ];
    const write = (lines: string[]): string =>
      put('log.csv', `case,activity,time,amount\n${lines.join('\n')}\n`);
    expect(await importEventLog({ file: write(rows), map }, stores)).toMatchObject({ stored: 3, known: 0 });
    const longer = [...rows, 'a,Order,2026-03-01T10:00:00Z,1', 'b,Order,2026-03-03T10:00:00Z,2'];
    expect(await importEventLog({ file: write(longer), map }, stores)).toMatchObject({ stored: 2, known: 3 });
    expect((await stored('small')).map((event) => event.subject)).toEqual(['a', 'a', 'a', 'a', 'b']);
    expect(await keysOf('small')).toBe(5);
  });

  test('naive times need a zone; a map with faults is refused with line and column', async () => {
    const naive = put(
      'map.yaml',
      MAP.replace('source: small', 'source: naive').replace('timezone: Europe/Brussels\n', ''),
    );
    const file = put('log.csv', 'case,activity,time,amount\na,Order,2026-03-01 10:00:00,1\n');
    const result = await importEventLog({ file, map: naive }, stores);
    expect(result).toMatchObject({ stored: 0, bad: 1 });
    expect(result.problems[0]?.what).toMatch(/^time: has no zone/);
    const wrong = put('wrong.yaml', `${MAP}curency: EUR\n`);
    const error = (await importEventLog({ file, map: wrong }, stores).catch(
      (thrown) => thrown,
    )) as ClosewatchError;
    expect(error.code).toBe('import.invalid');
    expect(error.problems[0]?.where).toMatch(/^wrong\.yaml:\d+:\d+$/);
  });
});

test('a misspelled column of the file of cases is refused in CSV, told of JSON lines', async () => {
  const log = put('log.csv', 'case_id,activity,time\nR-1,Pay,2026-03-02T09:15:00Z\n');
  const text = (cases: string): string =>
    `source: misspelled\ncompany: uni\ncurrency: EUR\ncolumns: { case: case_id, activity: activity, time: time }\ncases: { file: ${cases}, case: id, amount: amuont }\n`;
  put('cases.csv', 'id,amount\nR-1,5\n');
  await expect(importEventLog({ file: log, map: put('a.yaml', text('cases.csv')) }, stores)).rejects.toThrow(
    'cases.csv has no column "amuont"; it has id, amount',
  );
  expect(await stored('misspelled')).toEqual([]);
  put('cases.jsonl', '{"id":"R-1","amount":"5"}\n');
  const done = await importEventLog({ file: log, map: put('b.yaml', text('cases.jsonl')) }, stores);
  expect(done).toMatchObject({ stored: 1, bad: 0, badCases: 0 });
  expect(done.warnings).toEqual(['no row of cases.jsonl has "amuont", which the map names']);
});

test('an instant past the last that ClickHouse holds sees every event', async () => {
  const log = put('log.csv', 'case_id,activity,time\nR-1,Pay,2026-03-02T09:15:00Z\n');
  const map = put(
    'map.yaml',
    'source: far\ncompany: uni\ncolumns: { case: case_id, activity: activity, time: time }\n',
  );
  await importEventLog({ file: log, map }, stores);
  for (const text of ['2262-04-11T00:00:00Z', '2262-05-01T00:00:00Z', '9999-12-31T23:59:59Z']) {
    const asOf = parseInstant(text) ?? 0n;
    const seen: string[] = [];
    for await (const { id } of stores.events.scan({ asOf, sources: ['far'], types: ['*'] })) seen.push(id);
    const joined = await stores.events.byJoinKeys(['subject:far:R-1'], { asOf });
    expect([text, seen.length, joined.length]).toEqual([text, 1, 1]);
  }
});

test('the examples of docs/import.md do what the page says', async () => {
  const page = readFileSync(new URL('../../docs/import.md', import.meta.url), 'utf8');
  const examples = [
    ...page.matchAll(
      /<!-- example: (\S+) -->\n(?:```yaml\n([\s\S]*?)```| {4}closewatch import (\S+)(.*)\n)[\s\S]*?This stores (\d+) events/g,
    ),
  ];
  expect(examples).toHaveLength(7);
  for (const [, name = '', map, file = name, flags = '', count] of examples) {
    expect(file).toBe(name);
    const given = Object.fromEntries(
      [...flags.matchAll(/--([a-z-]+) (\S+)/g)].map(([, flag = '', value]) => [
        flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
        value,
      ]),
    );
    const request = importRequest.parse({
      file: join(import.meta.dirname, '../../test/fixtures/import', file),
      ...(map === undefined ? given : { map: put(`${name}.yaml`, map) }),
    });
    const result = await importEventLog(request, stores);
    expect(result).toMatchObject({ stored: Number(count), bad: 0, badCases: 0 });
  }
  const [first] = await stored('/uni/requests');
  expect(first).toMatchObject({
    type: 'request.submitted',
    time: '2026-03-02T08:15:00Z',
    amount: '34.33634285099345',
    partyKey: 'V7',
    attributes: { project: 'north', role: 'EMPLOYEE' },
  });
  expect((await stored('/erp/orders')).map((event) => [event.type, event.amount, event.company])).toEqual([
    ['order.create_order', '298.00', 'acme'],
    ['bill.received', '298.00', 'acme'],
  ]);
  expect((await stored('/shop/orders')).map((event) => [event.type, event.amount, event.subject])).toEqual([
    ['order.place_order', '34.33634285099345', 'o1'],
    ['invoice.sent', '30.15', 'o1'],
  ]);
});

test('killed half-way: what was stored keeps its keys, and a second run completes it, once', async () => {
  const rows = Array.from({ length: 30_000 }, (_, i) => `c${i},Order,2026-03-01T10:00:00Z,1`);
  const file = put('log.csv', `case,activity,time,amount\n${rows.join('\n')}\n`);
  const map = put('map.yaml', MAP.replace('source: small', 'source: killed'));
  // The process dies after the first block reached the events, before its keys and its confirmation.
  const dying: FinanceEventStore = {
    ...stores.events,
    async insert(events, token) {
      const keyless = {
        ...stores.clickhouse,
        insertNative: async (
          table: string,
          columns: readonly string[],
          body: Uint8Array,
          o: { token: string },
        ) => {
          if (table === 'event_keys') throw new Error('killed');
          await stores.clickhouse.insertNative(table, columns, body, o);
        },
      };
      await openFinanceEvents(keyless as ClickHouse).insert(events, token);
    },
    async insertKeys() {
      throw new Error('dead');
    },
  };
  await expect(importEventLog({ file, map }, { ...stores, events: dying })).rejects.toThrow('killed');
  expect(await stored('killed')).toHaveLength(20_000);
  expect(await stores.events.byJoinKeys(['subject:killed:c5'])).toHaveLength(0);
  expect(await importEventLog({ file, map }, stores)).toMatchObject({ stored: 10_000, known: 20_000 });
  expect(await stored('killed')).toHaveLength(30_000);
  expect(await stores.events.byJoinKeys(['subject:killed:c5', 'subject:killed:c29999'])).toHaveLength(2);
});

test('an import that fails leaves no block open, and what it stored has its keys', async () => {
  const file = put('log.csv', 'case,activity,time,amount\nc1,Order,2026-03-01T10:00:00Z,1\n');
  const map = put('map.yaml', MAP.replace('source: small', 'source: broken'));
  const broken: FinanceEventStore = {
    ...stores.events,
    async insert(events, token) {
      await stores.events.insert(events, token);
      throw new Error('the answer was lost');
    },
  };
  await expect(importEventLog({ file, map }, { ...stores, events: broken })).rejects.toThrow(
    'the answer was lost',
  );
  const open = await stores.postgres.db
    .selectFrom('batches')
    .select('batch')
    .where('source', '=', 'broken')
    .where('state', '=', 'pending')
    .execute();
  expect(open).toEqual([]);
  expect(await stores.events.byJoinKeys(['subject:broken:c1'])).toHaveLength(1);
  expect(await importEventLog({ file, map }, stores)).toMatchObject({ stored: 0, known: 1 });
});

test('a block is closed by the text of its rows too, at the same row in every run', async () => {
  const now = () => new Date();
  const closed = async (): Promise<number[]> => {
    const closeAt = { rows: 5, characters: 1000 };
    const depot = await createLogDepot({ ...stores, now, isDry: false }, 'wide');
    const blocks = createBlocks(depot, () => {}, closeAt);
    const at: number[] = [];
    for (const [i, length] of [990, 20, 300, 300, 300, 300, 1, 1, 1, 1, 1].entries()) {
      const event = {
        id: `wide-${i}`,
        source: 'wide',
        type: 'order.paid',
        version: 1,
        time: '2026-05-31T17:00:00Z',
        sequence: `${i}`,
        company: 'acme',
        subject: 'w',
        ingestPath: 'file' as const,
        keys: [],
        attributes: { text: 'x'.repeat(length) },
        data: '{}',
      };
      if (await blocks.add({ event, at: 0n, where: `row ${i}` })) at.push(i);
    }
    await blocks.flush();
    return at;
  };
  expect(await closed()).toEqual([1, 5, 10]);
  expect(await closed()).toEqual([1, 5, 10]);
  expect(await stored('wide')).toHaveLength(11);
});

test('a file of cases whose columns the map does not tell is refused', async () => {
  const file = put('log.csv', 'case,activity,time,amount\nc1,Order,2026-03-01T10:00:00Z,1\n');
  const cases = put('cases.csv', 'case,amount\nc1,5\n');
  await expect(importEventLog({ file, map: put('map.yaml', MAP), cases }, stores)).rejects.toThrow(
    'map.yaml has no cases: it must say how the columns of cases.csv are read',
  );
});

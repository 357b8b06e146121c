import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { FinanceEvent } from '../../model/event.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import { closeOrphans, createForwarder } from '../../store/forwarder.ts';
import { openInbox } from '../../store/postgres/inbox.ts';
import { listSources } from '../../store/postgres/sources.ts';
import { temporaryFolder } from '../../test/harness.ts';
import { type TemporaryStores, temporaryStores } from '../../test/temporary-stores.ts';
import { judgeEvent } from '../cloudevents/event.ts';
import { importEventLog } from './import.ts';

const FIXTURES = join(import.meta.dirname, '../../test/fixtures/import');

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

const put = (name: string, bytes: string | Uint8Array): string => {
  const path = join(folder.path, name);
  writeFileSync(path, bytes);
  return path;
};
async function stored(source: string): Promise<FinanceEvent[]> {
  const events: FinanceEvent[] = [];
  for await (const event of stores.events.inBatches(0n, 1n << 62n))
    if (event.source === source) events.push(event);
  return events;
}
const sourceOf = async (source: string) =>
  (await listSources(stores.postgres)).find((one) => one.source === source);
const pending = async (): Promise<number> =>
  (await stores.postgres.db.selectFrom('batches').select('batch').where('state', '=', 'pending').execute())
    .length;

describe('CloudEvents', () => {
  const eventOf = (source: string, id: string, amount = '10.50') => ({
    specversion: '1.0',
    id,
    source,
    type: 'closewatch.order.paid.v1',
    time: '2026-05-30T08:00:00Z',
    subject: `order/${id}`,
    data: {
      object: { kind: 'order' },
      org: { companyKey: 'acme' },
      money: { amount, currency: 'EUR' },
      keys: [{ type: 'extid', value: id }],
    },
  });
  const lines = (...events: unknown[]): string =>
    events.map((event) => (typeof event === 'string' ? event : JSON.stringify(event))).join('\n');
  /** Sends an event as POST /v1/events takes it. */
  async function send(event: object): Promise<string[]> {
    const judged = judgeEvent(event, { sender: '*', now: BigInt(Date.now()) * 1_000_000n });
    if (!('accepted' in judged)) throw new Error(JSON.stringify(judged));
    return await openInbox(stores.postgres).accept([judged.accepted]);
  }

  test('lines are judged as sent ones are, bad ones told, and the others are history', async () => {
    const wrong = { ...eventOf('/ce/a', 'x'), time: 'soon' };
    const long = { ...eventOf('/ce/a', 'y'), data: 'x'.repeat(2 << 20) };
    const file = put(
      'events.jsonl.gz',
      gzipSync(
        lines(eventOf('/ce/a', '1'), '', '{"no', wrong, long, eventOf('/ce/b', '1'), eventOf('/ce/a', '2')),
      ),
    );
    const result = await importEventLog({ file }, stores);
    expect(result).toMatchObject({
      format: 'cloudevents',
      recognisedBy: 'content',
      source: '*',
      rowsRead: 6,
      stored: 3,
      bad: 3,
      reasons: { invalid: 1, 'too-large': 1, unreadable: 1 },
    });
    expect(result.problems.map(({ where }) => where)).toEqual([
      'events.jsonl.gz, line 3',
      'events.jsonl.gz, line 4',
      'events.jsonl.gz, line 5',
    ]);
    expect(await stored('/ce/a')).toMatchObject([
      { id: '1', ingestPath: 'file', amount: '10.50', subject: 'order/1', type: 'order.paid' },
      { id: '2' },
    ]);
    expect(await sourceOf('/ce/b')).toMatchObject({ kind: 'imported', completeWithoutLimit: true });
    expect(await importEventLog({ file }, stores)).toMatchObject({ stored: 0, known: 3, bad: 3 });
    expect(await stored('/ce/a')).toHaveLength(2);
    expect(await stores.events.byJoinKeys(['extid:/ce/a:1'])).toHaveLength(1);
    expect(await pending()).toBe(0);
  });

  test('what was sent is known to a file, and what a file told is known to senders; another body is a conflict', async () => {
    const forwarder = createForwarder({ ...stores, inbox: openInbox(stores.postgres) });
    try {
      expect(await send(eventOf('/ce/live', '1'))).toEqual(['accepted']);
      await forwarder.drain();
      const file = put(
        'events.jsonl',
        lines(
          eventOf('/ce/live', '1'),
          eventOf('/ce/live', '2'),
          eventOf('/ce/live', '2'),
          eventOf('/ce/live', '2', '11'),
        ),
      );
      expect(await importEventLog({ file, source: '/ce' }, stores)).toMatchObject({
        source: '/ce',
        stored: 1,
        known: 2,
        bad: 1,
        reasons: { conflict: 1 },
        problems: [{ where: 'events.jsonl, line 4' }],
      });
      expect(await send(eventOf('/ce/live', '2'))).toEqual(['known']);
      expect(await send(eventOf('/ce/live', '2', '12'))).toEqual(['conflict']);
      await forwarder.drain();
      expect((await stored('/ce/live')).map(({ id }) => id)).toEqual(['1', '2']);
      // Back-fill does not make a live source complete.
      expect(await sourceOf('/ce/live')).toMatchObject({ kind: 'assumed', completeWithoutLimit: false });
    } finally {
      await forwarder.stop();
    }
  });

  test('only the sources that were asked for; a dry run stores nothing and shows the first event', async () => {
    const file = put('events.jsonl', lines(eventOf('/ce/one', '1'), eventOf('/ce/two', '1')));
    const dry = await importEventLog({ file, source: '/ce/one', dryRun: true }, stores);
    expect(dry).toMatchObject({
      dryRun: true,
      stored: 1,
      bad: 1,
      reasons: { 'source-denied': 1 },
      sample: { id: '1', source: '/ce/one' },
    });
    expect(await stored('/ce/one')).toEqual([]);
    expect(await sourceOf('/ce/one')).toBeUndefined();
    const strict = importEventLog({ file, source: '/ce/one', strict: true }, stores);
    await expect(strict).rejects.toMatchObject({ code: 'import.invalid', message: /1 rows are bad/ });
    expect(await stored('/ce/one')).toEqual([]);
  });

  test('a process that dies when the inbox has a block loses nothing of it: whoever finds the block stores it', async () => {
    const file = put(
      'events.jsonl',
      lines(...Array.from({ length: 20 }, (_, i) => eventOf('/ce/dead', `${i}`))),
    );
    const dying: FinanceEventStore = {
      ...stores.events,
      insert: async () => {
        throw new Error('killed');
      },
    };
    await expect(importEventLog({ file }, { ...stores, events: dying })).rejects.toThrow('killed');
    expect(await stored('/ce/dead')).toEqual([]);
    // A sender is told that the event is known, so it must come.
    expect(await send(eventOf('/ce/dead', '3'))).toEqual(['known']);
    expect(
      await closeOrphans({ ...stores, before: new Date(Date.now() + 1000), now: () => new Date() }),
    ).toBe(1);
    expect(await stored('/ce/dead')).toHaveLength(20);
    expect(await stores.events.byJoinKeys(['extid:/ce/dead:3'])).toHaveLength(1);
    expect(await pending()).toBe(0);
    expect(await importEventLog({ file }, stores)).toMatchObject({ stored: 0, known: 20 });
  });

  test('a heartbeat declares what it says', async () => {
    const beat = {
      specversion: '1.0',
      id: 'b',
      source: '/ce/beat',
      type: 'closewatch.flow.heartbeat.v1',
      time: '2026-05-30T08:00:00Z',
      companyid: 'acme',
      data: { completeUpTo: '2026-05-30T07:00:00Z' },
    };
    expect(await importEventLog({ file: put('b.jsonl', lines(beat)) }, stores)).toMatchObject({ stored: 1 });
    expect(await sourceOf('/ce/beat')).toMatchObject({ kind: 'declared' });
  });
});

describe('Parquet', () => {
  const MAP = `source: bills
company: acme
currency: EUR
timezone: Europe/Brussels
kind: bill
columns: { case: bill, activity: step, time: at, amount: amount, party: vendor.id, attributes: [day, big, rate, ok, tm, booked] }
`;

  test('a file of pyarrow: exact decimals and instants, nulls, members of structs', async () => {
    const file = join(FIXTURES, 'bills.parquet');
    const result = await importEventLog({ file, map: put('map.yaml', MAP) }, stores);
    expect(result).toMatchObject({
      format: 'parquet',
      recognisedBy: 'content',
      rowsRead: 3,
      stored: 3,
      bad: 0,
    });
    expect(await stored('bills')).toMatchObject([
      {
        subject: 'B-1',
        type: 'bill.received',
        time: '2026-05-29T17:00:00.123456Z',
        sequence: '1',
        amount: '1234.50',
        partyKey: 'V7',
        attributes: {
          day: '2026-05-31',
          big: '9223372036854775807',
          rate: '34.33634285099345',
          ok: 'true',
          tm: '01:02:03.000000',
          booked: '2026-05-31 17:00:00.000000000',
        },
      },
      { subject: 'B-1', type: 'bill.posted' },
      { subject: 'B-2', amount: '0.10' },
    ]);
    const [, posted, last] = await stored('bills');
    expect(posted?.amount).toBeUndefined();
    expect(Object.keys(last?.attributes ?? {})).not.toContain('ok');
    expect(Object.keys(last?.attributes ?? {})).not.toContain('rate');
    expect(await importEventLog({ file, map: put('map.yaml', MAP) }, stores)).toMatchObject({ known: 3 });
    // A time that the file has without a zone is of the map's.
    const naive = MAP.replace('time: at', 'time: booked').replace('source: bills', 'source: naive');
    await importEventLog({ file, map: put('naive.yaml', naive) }, stores);
    expect((await stored('naive'))[0]?.time).toBe('2026-05-31T15:00:00Z');
  });

  test('all columns with *, but lists; a column that is not there is told with those that are', async () => {
    const file = join(FIXTURES, 'bills.parquet');
    const all = MAP.replace(/attributes: .*\]/, 'attributes: "*"').replace('source: bills', 'source: all');
    const result = await importEventLog({ file, map: put('map.yaml', all) }, stores);
    expect(result.warnings).toEqual(['left out, for they hold lists or have odd names: tags.list.element']);
    expect((await stored('all'))[0]?.attributes['vendor.city']).toBe('Gent');
    const wrong = put('wrong.yaml', MAP.replace('time: at', 'time: when'));
    await expect(importEventLog({ file, map: wrong }, stores)).rejects.toThrow(
      /bills\.parquet has no column "when" of one value a row; it has bill, step, at, booked/,
    );
  });

  test('a file of the engine, larger than a page, in its order; broken ones are refused; no table stays', async () => {
    const rows = 45_000;
    const { url, headers } = stores.engine();
    const sql = `SELECT toString(number) AS bill, 'received' AS step, toDateTime64('2026-05-01 00:00:00', 3, 'UTC') + number AS at,
      toDecimal64(number, 2) / 100 AS amount, '' AS "vendor.id", number AS day, number AS big, number AS rate, number AS ok, number AS tm, number AS booked
      FROM numbers(${rows}) FORMAT Parquet SETTINGS output_format_parquet_row_group_size = 7000, output_format_parquet_compression_method = 'zstd'`;
    const answer = await fetch(`${url}/`, { method: 'POST', headers, body: sql });
    const bytes = Buffer.from(await answer.arrayBuffer());
    const file = put('large.data', bytes);
    const map = put('map.yaml', MAP.replace('source: bills', 'source: large'));
    // Left by an import that was killed long ago.
    await stores.clickhouse.command('CREATE TABLE parquet_import_1000_dead (a UInt8) ENGINE = Memory');
    expect(await importEventLog({ file, map }, stores)).toMatchObject({
      format: 'parquet',
      stored: rows,
      bad: 0,
    });
    const events = await stored('large');
    expect(events.every(({ subject, sequence }) => Number(subject) + 1 === Number(sequence))).toBe(true);
    expect(events.find(({ subject }) => subject === '1234')?.amount).toBe('12.34');
    for (const broken of [
      bytes.subarray(0, 5000),
      Buffer.concat([bytes.subarray(0, 4), bytes.subarray(2000)]),
    ])
      await expect(
        importEventLog({ file: put('broken.parquet', broken), map }, stores),
      ).rejects.toMatchObject({
        code: 'import.invalid',
      });
    const tables = await fetch(`${url}/`, { method: 'POST', headers, body: 'SHOW TABLES' });
    expect(await tables.text()).not.toContain('parquet_import');
  });
});

describe('bank statements', () => {
  const file = join(FIXTURES, 'statement.053.xml');
  const told = { company: 'acme', accountJournal: 'bank1', timezone: 'Europe/Brussels' };

  test('camt.053: its facts, once; the notification before it too; names in the register only', async () => {
    const notification = readFileSync(file, 'utf8')
      .replace('camt.053', 'camt.054')
      .replaceAll('BkToCstmrStmt', 'BkToCstmrDbtCdtNtfctn')
      .replaceAll('Stmt>', 'Ntfctn>')
      .replace(/<Bal>[\s\S]*<\/Bal>/, '');
    const first = await importEventLog({ file: put('note.xml', notification), ...told }, stores);
    expect(first).toMatchObject({ format: 'camt', source: '/bank/acme/bank1', stored: 8, known: 0, bad: 0 });
    expect(await sourceOf('/bank/acme/bank1')).toMatchObject({ kind: 'imported', completeUpTo: 0n });
    expect(await importEventLog({ file, ...told }, stores)).toMatchObject({ stored: 1, known: 8, bad: 0 });
    expect(await importEventLog({ file, ...told }, stores)).toMatchObject({ stored: 0, known: 9 });
    const lines = (await stored('/bank/acme/bank1')).filter(({ type }) => type === 'statementline.imported');
    expect(lines).toHaveLength(4);
    expect(await stores.events.byJoinKeys(['e2e:INV-77-PAY'])).toHaveLength(2);
    expect(await sourceOf('/bank/acme/bank1')).toMatchObject({
      kind: 'imported',
      completeWithoutLimit: false,
      completeUpTo: 1_780_264_800_000_000_000n,
    });
    const parties = await stores.postgres.db.selectFrom('parties').selectAll().execute();
    expect(parties.map(({ name }) => name)).toContain('Jane Roe');
    expect(parties.find(({ name }) => name === 'Jane Roe')?.party_key).toBe(
      lines.find(({ docNumber }) => docNumber === 'BANKREF-1')?.partyKey,
    );
    expect(JSON.stringify(parties)).not.toContain('0532');
  });

  test('MT940 of the next day leaves a gap; the file that fills it brings completeness on', async () => {
    const account = { ...told, accountJournal: 'bank2' };
    const day = (number: number, opening: string, closing: string, amount: string): string =>
      put(
        `${number}.sta`,
        `:20:S\n:25:NL91ABNA0417164300\n:28C:${number}/1\n:60F:C26050${number}EUR${opening}\n:61:26050${number + 1}C${amount}NTRFNONREF//R${number}\n:62F:C26050${number + 1}EUR${closing}\n-\n`,
      );
    const types = async (): Promise<string[]> => (await stored('/bank/acme/bank2')).map(({ type }) => type);
    const upTo = async () => (await sourceOf('/bank/acme/bank2'))?.completeUpTo;
    const midnight = (date: string): bigint => BigInt(Date.parse(`${date}T00:00:00+02:00`)) * 1_000_000n;
    await importEventLog({ file: day(1, '0,', '5,', '5,'), ...account }, stores);
    expect(await upTo()).toBe(midnight('2026-05-03'));
    await importEventLog({ file: day(3, '7,', '8,', '1,'), ...account, live: true }, stores);
    const paths = (await stored('/bank/acme/bank2')).map(({ ingestPath }) => ingestPath);
    expect(paths).toEqual(['file', 'file', 'push', 'push', 'push']);
    expect((await types()).filter((type) => type === 'bankstatement.gapdetected')).toHaveLength(1);
    expect(await upTo()).toBe(midnight('2026-05-03'));
    await importEventLog({ file: day(2, '5,', '7,', '2,'), ...account }, stores);
    expect((await types()).filter((type) => type === 'bankstatement.gapdetected')).toHaveLength(1);
    expect(await upTo()).toBe(midnight('2026-05-05'));
  });

  test('what a statement does not say must be said', async () => {
    const without = (name: keyof typeof told) => importEventLog({ file, ...told, [name]: undefined }, stores);
    await expect(without('company')).rejects.toThrow(/does not name the company: say --company/);
    await expect(without('timezone')).rejects.toThrow(/booking dates carry no zone/);
    const zones = { acme: 'Europe/Brussels' };
    expect(await importEventLog({ file, ...told, timezone: undefined, zones }, stores)).toMatchObject({
      known: 9,
    });
    const map = put(
      'bank.yaml',
      'source: /bank/acme/bank1\ncompany: acme\njournal: bank1\ntimezone: Europe/Brussels\n',
    );
    expect(await importEventLog({ file, map: map }, stores)).toMatchObject({ known: 9 });
  });
});

test('a file is known by its content, whatever its name; one that nothing tells is refused', async () => {
  const as = async (name: string, of: string) => {
    copyFileSync(join(FIXTURES, of), join(folder.path, name));
    return (
      await importEventLog(
        { file: join(folder.path, name), company: 'acme', timezone: 'UTC', dryRun: true },
        stores,
      )
    ).format;
  };
  expect(await as('a.bin', 'statement.sta')).toBe('mt940');
  expect(await as('b.csv', 'statement.053.xml')).toBe('camt');
  expect(await as('c', 'shop.jsonl')).toBe('cloudevents');
  await expect(as('d.csv', 'bills.parquet')).rejects.toThrow(/is Parquet: it needs --map/);
  await expect(as('e.txt', 'orders.ocel.json')).rejects.toThrow(/is OCEL 2.0 in JSON: it needs --map/);
  await expect(as('f.dat', 'requests.csv')).rejects.toThrow(
    /neither its content nor its name tells the format/,
  );
});

/**
 * How fast files are imported, a CSV log the first time and again, and one of each other format, beside the engine's own
 * limit in the same run: the same events inserted as ready Native blocks. `node bench/import.ts [rows]`, by default 36,000.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importEventLog } from '../collector/files/import.ts';
import type { ImportRequest } from '../collector/files/request.ts';
import type { FinanceEvent } from '../model/event.ts';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { documentBlock, eventBlock, keyBlocks } from '../store/clickhouse/finance-event-blocks.ts';
import { openFinanceEvents } from '../store/clickhouse/finance-events.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { openPostgres } from '../store/postgres/database.ts';
import { type Cost, createMeter, printTable } from './measure.ts';

const ROWS = Number(process.argv[2] ?? 36_000);
const BLOCK = 20_000;
const logger = { info() {}, warn() {}, error() {}, debug() {} };
const STEPS = [
  'SUBMITTED',
  'APPROVED by ADMINISTRATION',
  'FINAL_APPROVED by SUPERVISOR',
  'Request Payment',
  'Payment Handled',
];

const dir = mkdtempSync(join(tmpdir(), 'closewatch-bench-'));
const file = join(dir, 'log.csv');
const map = join(dir, 'map.yaml');
const lines = Array.from({ length: ROWS }, (_, i) => {
  const time = new Date(1_500_000_000_000 + i * 61_000).toISOString().replace('Z', '+02:00');
  return `request ${Math.floor(i / 5)},${STEPS[i % 5]},${time},STAFF ${i % 40},EMPLOYEE,${(i * 37) % 90000}.${(i % 90) + 10},PRJ ${i % 300},step ${i}`;
});
writeFileSync(file, `case,activity,time,actor,role,amount,project,id\n${lines.join('\n')}\n`);
writeFileSync(
  map,
  `source: log
company: acme
currency: EUR
columns:
  case: case
  activity: activity
  time: time
  actor: actor
  role: role
  amount: amount
  attributes: [project]
types:
${STEPS.map((step, i) => `  ${step}: request.step${i}`).join('\n')}
`,
);

const timeOf = (i: number): string => new Date(1_500_000_000_000 + i * 61_000).toISOString();
const put = (name: string, text: string | Uint8Array): string => {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
};
const mapOf = (format: string, more: string): string =>
  put(`${format}.yaml`, `source: ${format}\ncompany: acme\ncurrency: EUR\n${more}`);

/** The same events as OCEL: five of an order, each with one of two items. */
const ocel = () =>
  put(
    'log.json',
    JSON.stringify({
      objectTypes: [],
      eventTypes: [],
      events: lines.map((_, i) => ({
        id: `e${i}`,
        type: STEPS[i % 5],
        time: timeOf(i),
        attributes: [{ name: 'actor', value: `STAFF ${i % 40}` }],
        relationships: [
          { objectId: `o${Math.floor(i / 5)}`, qualifier: 'order' },
          { objectId: `i${i >> 1}`, qualifier: 'item' },
        ],
      })),
      objects: lines.flatMap((_, i) => [
        ...(i % 5 === 0
          ? [
              {
                id: `o${i / 5}`,
                type: 'order',
                attributes: [{ name: 'price', value: `${i}.50`, time: timeOf(0) }],
              },
            ]
          : []),
        ...(i % 2 === 0 ? [{ id: `i${i >> 1}`, type: 'item', attributes: [] }] : []),
      ]),
    }),
  );

const cloudEvents = () =>
  put(
    'log.jsonl',
    lines
      .map((_, i) =>
        JSON.stringify({
          specversion: '1.0',
          id: `e${i}`,
          source: '/shop',
          type: 'closewatch.order.paid.v1',
          time: timeOf(i),
          data: {
            object: { kind: 'order' },
            org: { companyKey: 'acme' },
            money: { amount: `${i}.50`, currency: 'EUR' },
            keys: [{ type: 'extid', value: `${i}` }],
          },
        }),
      )
      .join('\n'),
  );

/** A statement whose every entry makes a line and a payment. */
const camt = () => {
  const entries = Array.from({ length: ROWS / 2 }, (_, i) => {
    const date = timeOf(i).slice(0, 10);
    return `<Ntry><Amt Ccy="EUR">1.25</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><Dt>${date}</Dt></BookgDt><ValDt><Dt>${date}</Dt></ValDt><AcctSvcrRef>R${i}</AcctSvcrRef><NtryDtls><TxDtls><Refs><EndToEndId>E${i}</EndToEndId></Refs><RltdPties><Dbtr><Nm>Payer ${i % 300}</Nm></Dbtr></RltdPties><RmtInf><Ustrd>Invoice ${i} of Payer ${i % 300}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>`;
  });
  const balance = (type: string, amount: string): string =>
    `<Bal><Tp><CdOrPrtry><Cd>${type}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">${amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2020-01-01</Dt></Dt></Bal>`;
  const closing = (1.25 * entries.length).toFixed(2);
  return put(
    'statement.xml',
    `<Document><BkToCstmrStmt><Stmt><Id>S</Id><Acct><Id><IBAN>BE68539007547034</IBAN></Id></Acct>${balance('OPBD', '0')}${balance('CLBD', closing)}${entries.join('')}</Stmt></BkToCstmrStmt></Document>`,
  );
};

const engine = await temporaryEngine();
/** The file of a query's rows, made by the engine. */
async function parquet(): Promise<string> {
  const sql = `SELECT 'request ' || toString(intDiv(number, 5)) AS case, ['${STEPS.join("', '")}'][number % 5 + 1] AS activity,
    toDateTime64(1500000000 + number * 61, 3, 'UTC') AS time, 'STAFF ' || toString(number % 40) AS actor, toDecimal64(number, 2) AS amount
    FROM numbers(${ROWS}) FORMAT Parquet`;
  const credentials = Buffer.from(`${engine.username}:${engine.password}`).toString('base64');
  const headers = { authorization: `Basic ${credentials}` };
  const answer = await fetch(`${engine.url}/`, { method: 'POST', headers, body: sql });
  return put('log.parquet', Buffer.from(await answer.arrayBuffer()));
}

const clickhouse = connectClickHouse(engine);
const postgres = await openPostgres({ dataDir: dir }, { logger });
const meter = createMeter(clickhouse, engine.pid);
try {
  await migrate(clickhouse);
  const events = openFinanceEvents(meter.clickhouse);
  const load = (stored: number) => async () => {
    const result = await importEventLog({ file, map }, { postgres, events, logger });
    if (result.stored !== stored || result.stored + result.known !== ROWS)
      throw new Error(JSON.stringify(result));
  };
  const first = await meter.cost(load(ROWS));
  const again = await meter.cost(load(0));
  const format = async (request: ImportRequest): Promise<Cost> =>
    await meter.cost(async () => {
      const result = await importEventLog(request, {
        postgres,
        events,
        clickhouse: meter.clickhouse,
        logger,
      });
      if (result.stored < ROWS) throw new Error(JSON.stringify(result));
    });
  const columns = 'columns: { case: case, activity: activity, time: time, actor: actor, amount: amount }\n';
  const others = {
    'OCEL 2.0': await format({
      file: ocel(),
      map: mapOf('ocel', 'ocel: { case: order }\ncolumns: { actor: actor, amount: "case:price" }\n'),
    }),
    Parquet: await format({ file: await parquet(), map: mapOf('parquet', columns) }),
    CloudEvents: await format({ file: cloudEvents() }),
    'camt.053': await format({ file: camt(), company: 'acme', timezone: 'Europe/Brussels' }),
  };
  const all: FinanceEvent[] = [];
  for await (const event of events.inBatches(0n, 1n << 62n)) if (event.source === 'log') all.push(event);
  const copies = all.map((event) => ({ ...event, source: 'copy' }));
  const blocks: { table: string; columns: readonly string[]; bytes: Uint8Array }[] = [];
  for (let at = 0; at < copies.length; at += BLOCK) {
    const some = copies.slice(at, at + BLOCK);
    blocks.push({ table: 'finance_events', ...eventBlock(some) });
    blocks.push({ table: 'document_events', ...documentBlock(some) });
    for (const block of keyBlocks(some, 50_000)) blocks.push({ table: 'event_keys', ...block });
  }
  const limit = await meter.cost(async () => {
    for (const [i, { table, columns, bytes }] of blocks.entries())
      await meter.clickhouse.insertNative(table, columns, bytes, { token: `copy:${i}` });
  });
  const row = (name: string, cost: Cost) => [
    name,
    Math.round(cost.wallMs),
    Math.round(cost.mainMs),
    Math.round(cost.engineMs),
    cost.queries,
    cost.statements,
    Math.round(ROWS / (cost.mainMs / 1000)),
    ((cost.processMs + cost.engineMs) / (limit.processMs + limit.engineMs)).toFixed(1),
  ];
  printTable(
    [
      `${ROWS} rows`,
      'wall ms',
      'main cpu ms',
      'engine cpu ms',
      'CH queries',
      'PG statements',
      'rows/cpu s',
      'cpu ratio',
    ],
    [
      row('CSV', first),
      row('the same again', again),
      ...Object.entries(others).map(([name, cost]) => row(name, cost)),
      row('ready Native blocks', limit),
    ],
  );
} finally {
  await postgres.close();
  await clickhouse.close();
  await engine.remove();
  rmSync(dir, { recursive: true, force: true });
}

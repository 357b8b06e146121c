/**
 * What the case of a key costs: `node bench/case.ts [sizes] [--json] [--queries]`, sizes in millions, `1,10` when left out.
 *
 * A size is so many finance events and so many spans over 90 days, with their keys, and as many log records as a tenth of the
 * spans: purchase orders with a receipt, a bill and a payment, told by two sources, six events each; a tenth of the events name a trace, which
 * has ten spans, of which two hold a key of the document. They are made inside the engine. Then the cases of 200 documents, each with a key that was not asked
 * for before; time is from the call to the whole case with its timeline.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { findCase } from '../store/clickhouse/cases.ts';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { clickhouseMigrations, migrate, statementsFor } from '../store/clickhouse/migrate.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { openTraces } from '../store/clickhouse/traces.ts';

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false }, queries: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const SIZES = (positionals[0] ?? '1,10').split(',').map((text) => Number(text) * 1e6);
const ASKED = 200;
/** Cases before those that count: the engine reads each part's marks once. */
const WARM_UP = 100;
const DAYS = 90;
/** Rows made by one statement. */
const STEP = 500_000;

/**
 * Chain c has an order, a receipt, a bill and a payment; event e = 6c + k is k-th of them. Document, type, source and keys by k. Times
 * are spread over the 90 days, a day or two between the events of a chain. Every tenth event e names trace e.
 */
const CHAIN = `intDiv(e, 6) AS c, e % 6 AS k, toDateTime64('2026-03-01 00:00:00', 9, 'UTC')
  + toIntervalSecond(intHash64(c) % ${(DAYS - 10) * 86_400}) + toIntervalHour(k * 30) AS at,
  ['po', 'po', 'gr', 'bill', 'bill', 'pay'][k + 1] AS document,
  ['purchaseorder.submitted', 'purchaseorder.confirmed', 'goodsreceipt.recorded', 'bill.received', 'bill.posted', 'payment.registered'][k + 1] AS type,
  if(k = 3, '/ocr', '/odoo/prod') AS source, concat('company-', toString(c % 3)) AS company,
  concat(document, if(k = 3, '/ocr/', '/'), toString(c)) AS subject, if(e % 10 = 0, lower(hex(MD5(toString(e)))), '') AS trace`;
const KEYS = `multiIf(document = 'po', [('po', concat('po:', company, ':P', toString(c)))],
    document = 'gr', [('po', concat('po:', company, ':P', toString(c)))],
    document = 'bill', [('docno', concat('docno:', company, ':BILL', toString(c))), ('po', concat('po:', company, ':P', toString(c)))],
    [('docno', concat('docno:', company, ':BILL', toString(c)))]) AS own,
  arrayConcat([('subject', concat('subject:', source, ':', subject))], own, if(trace = '', [], [('trace', concat('trace:', trace))])) AS keys`;
/** Five lines of the document, some 450 bytes. */
const DATA = `concat('{"lines":[', arrayStringConcat(arrayMap(i -> concat('{"poline":"', lower(hex(MD5(concat(toString(e), '/', toString(i))))),
  '","product":"P', toString(i), '","qty":"1","price":"', toString(intHash64(e + i) % 100000), '"}'), range(5)), ','), ']}')`;
const RAW = `arrayMap(key -> replaceRegexpOne(key.2, '^[a-z]+:[^:]+:', ''), own)`;

const dataDir = mkdtempSync(join(tmpdir(), 'closewatch-case-'));
let engine = await temporaryEngine({ dataDir });
let clickhouse = connectClickHouse(engine);
await migrate(clickhouse);

/** As an upgrade fills it. */
const DOCUMENTS = clickhouseMigrations()
  .flatMap(({ sql }) => statementsFor(sql, '26.7'))
  .find((statement) => statement.startsWith('INSERT INTO document_events'));

async function fill(from: number, to: number): Promise<void> {
  for (let start = from; start < to; start += STEP) {
    const end = Math.min(to, start + STEP);
    const events = `(SELECT number + ${start} AS e FROM numbers(${end - start}))`;
    await clickhouse.command(`INSERT INTO finance_events (Batch, EventId, Source, Type, Version, Time, ReceivedAt, Company,
        Subject, IngestPath, DocNumber, PartyKey, AmountText, Amount, Currency, ActorId, ActorKind, TraceId, KeyTypes, KeyValues, JoinKeys,
        Attributes, Data)
      SELECT ${end}, concat('e', toString(e)), source, type, 1, at, at, company, subject, 'push', concat(upper(document), '/', toString(c)),
        concat('partner-', toString(c % 5000)), toString(c % 100000), c % 100000, 'EUR', concat('user-', toString(c % 40)), 'human', trace,
        arrayMap(key -> key.1, own), ${RAW}, arrayMap(key -> key.2, keys), map('channel', 'edi', 'journal', concat('J', toString(c % 9))), ${DATA}
      FROM (SELECT e, ${CHAIN}, ${KEYS} FROM ${events})`);
    await clickhouse.command(`INSERT INTO event_keys (JoinKey, Company, Source, Type, Time, Batch, EventId, Subject, KeyType)
      SELECT key.2, company, source, type, at, 1, concat('e', toString(e)), subject, key.1
      FROM (SELECT e, ${CHAIN}, ${KEYS} FROM ${events}) ARRAY JOIN keys AS key`);
    await clickhouse.command(`${DOCUMENTS} WHERE Batch = ${end}`);
    const spans = `(SELECT intDiv(number, 10) * 10 + ${start} AS e, number % 10 AS s FROM numbers(${end - start}))`;
    await clickhouse.command(`INSERT INTO otel_traces (Timestamp, TraceId, SpanId, SpanName, SpanKind, ServiceName,
        ResourceAttributes, SpanAttributes, Duration, StatusCode)
      SELECT at + toIntervalMillisecond(s * 20), trace, lower(hex(sipHash64(e, s))), concat('step ', toString(s)), 'Internal',
        concat('service-', toString(s % 5)), map('service.name', concat('service-', toString(s % 5))),
        map('document.number', concat('BILL/', toString(c)), 'http.request.method', 'POST', 'url.path', concat('/bills/', toString(c))),
        20000000, 'Ok'
      FROM (SELECT e, s, ${CHAIN} FROM ${spans}) SETTINGS max_partitions_per_insert_block = 1000`);
    await clickhouse.command(`INSERT INTO span_keys (JoinKey, KeyType, Company, Timestamp, TraceId, SpanId)
      SELECT own[1].2, own[1].1, company, at + toIntervalMillisecond(s * 20), trace, lower(hex(sipHash64(e, s)))
      FROM (SELECT e, s, ${CHAIN}, ${KEYS} FROM ${spans} WHERE s < 2) SETTINGS max_partitions_per_insert_block = 1000`);
    await clickhouse.command(`INSERT INTO otel_logs (Timestamp, TraceId, SpanId, SeverityText, SeverityNumber, ServiceName, Body)
      SELECT at + toIntervalMillisecond(5), trace, lower(hex(sipHash64(e, 0))), 'INFO', 9, 'service-0', concat('took ', subject)
      FROM (SELECT e, s, ${CHAIN} FROM ${spans} WHERE s = 0) SETTINGS max_partitions_per_insert_block = 1000`);
  }
}

async function number(sql: string): Promise<number> {
  const row = z.object({ value: z.coerce.number() });
  const query = defineQuery({
    name: 'bench.number',
    sql: `SELECT toFloat64(${sql}) AS value`,
    params: z.object({}),
    row,
  });
  return (await clickhouse.query(query, {}))[0]?.value ?? 0;
}

/**
 * As it is a while after such a load: for ten seconds nothing was merged, and the parts that were merged are gone, which
 * takes eight minutes or a start.
 */
async function settle(): Promise<void> {
  for (let calm = 0, i = 0; calm < 20 && i < 600; i++) {
    calm = (await number('(SELECT count() FROM system.merges)')) > 0 ? 0 : calm + 1;
    await sleep(500);
  }
  await clickhouse.close();
  await engine.stop();
  engine = await temporaryEngine({ dataDir });
  clickhouse = connectClickHouse(engine);
}

const quantile = (list: readonly number[], q: number): number =>
  Math.round((list.toSorted((a, b) => a - b)[Math.floor(list.length * q)] ?? 0) * 10) / 10;

try {
  const results: object[] = [];
  let filled = 0;
  for (const size of SIZES) {
    await fill(filled, size);
    filled = size;
    await settle();
    const spent = new Map<string, number[]>();
    const counting = new Proxy(clickhouse, {
      get: (of, name) =>
        name === 'query'
          ? async (...args: Parameters<typeof clickhouse.query>) => {
              const started = performance.now();
              const answer = await of.query(...args);
              const list = spent.get(args[0].name) ?? [];
              spent.set(args[0].name, [...list, performance.now() - started]);
              return answer;
            }
          : Reflect.get(of, name),
    });
    const reads = { clickhouse: counting, traces: openTraces(counting) };
    const times: number[] = [];
    let [lines, documents] = [0, 0];
    for (let i = -WARM_UP; i < ASKED; i++) {
      const c = Math.floor(Math.random() * (size / 60)) * 10;
      const started = performance.now();
      const found = await findCase(reads, [`company-${c % 3}`], [`docno:company-${c % 3}:BILL${c}`]);
      if (i < 0) continue;
      times.push(performance.now() - started);
      lines += found.timeline.length;
      documents += found.documents.length;
    }
    if (values.queries)
      console.table(
        Object.fromEntries(
          [...spent].map(([name, list]) => [name, { times: list.length, p50Ms: quantile(list, 0.5) }]),
        ),
      );
    results.push({
      events: await number('(SELECT count() FROM finance_events)'),
      spans: await number('(SELECT count() FROM otel_traces)'),
      spanKeys: await number('(SELECT count() FROM span_keys)'),
      p50Ms: quantile(times, 0.5),
      p95Ms: quantile(times, 0.95),
      p99Ms: quantile(times, 0.99),
      queries: Math.round([...spent.values()].flat().length / (ASKED + WARM_UP)),
      documents: Math.round((documents / ASKED) * 10) / 10,
      lines: Math.round((lines / ASKED) * 10) / 10,
    });
  }
  if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
  else console.table(results);
} finally {
  await clickhouse.close();
  await engine.remove();
  rmSync(dataDir, { recursive: true, force: true });
}

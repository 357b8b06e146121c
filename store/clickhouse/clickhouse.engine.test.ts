import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { findCase } from './cases.ts';
import { type ClickHouse, connectClickHouse } from './client.ts';
import { clickhouseMigrations, migrate, statementsFor } from './migrate.ts';
import { defineQuery } from './query.ts';
import { type TemporaryEngine, temporaryEngine } from './testing/temporary.ts';
import { openTraces } from './traces.ts';

/** The one client and the migrations, on the embedded engine. */
let engine: TemporaryEngine;
let clickhouse: ClickHouse;
beforeAll(async () => {
  engine = await temporaryEngine();
  clickhouse = connectClickHouse(engine);
});
afterAll(async () => {
  await clickhouse.close();
  await engine.remove();
});

const anyRow = z.record(z.string(), z.unknown());
const ask = (sql: string) => defineQuery({ name: 'test.ask', sql, params: z.object({}), row: anyRow });
const count = async (table: string) =>
  Number((await clickhouse.query(ask(`SELECT count() AS c FROM ${table}`), {}))[0]?.c);

/** A client whose program is killed at the statement behind so many. */
function killedAfter(clickhouse: ClickHouse, statements: number): ClickHouse {
  let left = statements;
  const command: ClickHouse['command'] = async (sql) => {
    if (left-- === 0) throw new Error('killed');
    await clickhouse.command(sql);
  };
  return new Proxy(clickhouse, {
    get: (of, name) => {
      const own = name === 'command' ? command : Reflect.get(of, name);
      return typeof own === 'function' ? own.bind(of) : own;
    },
  });
}

describe('migrations', () => {
  test('run once, and again do nothing', async () => {
    const all = clickhouseMigrations().map(({ version }) => version);
    expect(await migrate(clickhouse)).toEqual(all);
    expect(await migrate(clickhouse)).toEqual([]);
    const tables = await clickhouse.query(
      ask('SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name'),
      {},
    );
    expect(tables.map(({ name }) => name)).toEqual([
      'audit_anchors',
      'document_events',
      'event_keys',
      'finance_events',
      'incident_events',
      'otel_logs',
      'otel_metrics_exp_histogram',
      'otel_metrics_gauge',
      'otel_metrics_histogram',
      'otel_metrics_sum',
      'otel_metrics_summary',
      'otel_traces',
      'otel_traces_trace_id_ts',
      'otel_traces_trace_id_ts_mv',
      'schema_migrations',
      'service_versions',
      'service_versions_mv',
      'span_keys',
    ]);
  });

  test('go on after a kill between any two statements', async () => {
    const other = connectClickHouse({ ...address(), database: 'halfway' });
    const [first] = clickhouseMigrations();
    await expect(migrate(killedAfter(other, 4), [first!])).rejects.toThrow('killed');
    expect(await migrate(other, [first!])).toEqual([1]);
    expect(await migrate(other, [first!])).toEqual([]);
    await other.close();
  });

  test('an upgrade keeps events and their keys, wherever it is killed, and finds their case', async () => {
    const other = connectClickHouse({ ...address(), database: 'upgraded' });
    const all = clickhouseMigrations().slice(0, 3);
    await migrate(other, all.slice(0, 2));
    await other.command(`INSERT INTO finance_events (Batch, EventId, Source, Type, Version, Time, Company, Subject, IngestPath, KeyTypes,
        KeyValues, JoinKeys, Attributes, Data)
      SELECT 7, concat('e', toString(number)), '/erp', 'bill.posted', 1, '2026-05-01 00:00:00.123456789', 'acme', concat('bill/', toString(number)),
        'push', ['docno'], [concat('B', toString(number))], [concat('docno:acme:B', toString(number))], map('a', 'b'), '{"x":1}'
      FROM numbers(3)`);
    await other.command(`INSERT INTO event_keys (JoinKey, Company, Source, Type, Time, Batch, EventId, Subject, KeyType)
      SELECT arrayJoin(JoinKeys), Company, Source, Type, Time, Batch, EventId, Subject, 'docno' FROM finance_events`);
    const statements = statementsFor(all[2]?.sql ?? '', '26.7').length;
    // The first statement is the ledger's own: every attempt comes one further.
    for (let n = 1; n <= statements; n++)
      await expect(migrate(killedAfter(other, n), all)).rejects.toThrow('killed');
    expect(await migrate(other, all)).toContain(3);
    const found = await findCase(
      { clickhouse: other, traces: openTraces(other) },
      ['acme'],
      ['docno:acme:B1'],
    );
    expect(found.documents).toMatchObject([
      { subject: 'bill/1', events: [{ id: 'e1', batch: '7', type: 'bill.posted' }] },
    ]);
    expect(found.documents[0]?.events).toHaveLength(1);
    expect(found.documents[0]?.events[0]).toEqual({
      id: 'e1',
      source: '/erp',
      type: 'bill.posted',
      version: 1,
      time: '2026-05-01T00:00:00.123456789Z',
      receivedAt: '1970-01-01T00:00:00Z',
      batch: '7',
      sequence: '0',
      company: 'acme',
      subject: 'bill/1',
      ingestPath: 'push',
      keys: [{ type: 'docno', value: 'B1' }],
      attributes: { a: 'b' },
    });
    const [keys] = await other.query(
      ask(
        'SELECT uniqExact(JoinKey, EventId) AS keys, (SELECT count() FROM finance_events) AS events FROM event_keys',
      ),
      {},
    );
    expect(keys).toEqual({ keys: '3', events: '3' });
    await other.close();
  });

  test('an upgrade keeps spans, wherever it is killed, and goes on telling when traces were', async () => {
    const other = connectClickHouse({ ...address(), database: 'cut' });
    const all = clickhouseMigrations();
    await migrate(other, all.slice(0, 3));
    const span = (TraceId: string, day: string) => ({
      Timestamp: `${day} 10:00:00`,
      TraceId,
      SpanId: '1'.repeat(16),
      SpanName: 'post',
      SpanAttributes: { a: 'b' },
    });
    const [a, b, c] = ['a', 'b', 'c'].map((letter) => letter.repeat(32)) as [string, string, string];
    const spans = [span(a, '2026-05-01'), span(b, '2026-05-02')];
    await other.insertRows('otel_traces', spans, { token: 'before' });
    for (let n = 1; n <= statementsFor(all[3]?.sql ?? '', '26.7').length; n++)
      await expect(migrate(killedAfter(other, n), all)).rejects.toThrow('killed');
    expect(await migrate(other, all)).toContain(4);
    await other.insertRows('otel_traces', [span(c, '2026-05-01')], { token: 'behind' });
    const [counts] = await other.query(
      ask('SELECT uniqExact(TraceId) AS traces, max(SpanAttributes) AS attributes FROM otel_traces'),
      {},
    );
    expect(counts).toEqual({ traces: '3', attributes: { a: 'b' } });
    const [known] = await other.query(
      ask('SELECT uniqExact(TraceId) AS traces FROM otel_traces_trace_id_ts'),
      {},
    );
    expect(known).toEqual({ traces: '3' });
    const traces = openTraces(other);
    for (const id of [a, b, c]) expect(await traces.traceById(id)).toHaveLength(1);
    await other.close();
  });

  test('a newer database is refused, naming both versions', async () => {
    const [first] = clickhouseMigrations();
    await expect(migrate(clickhouse, [first!])).rejects.toMatchObject({
      code: 'schema.newer',
      message: expect.stringMatching(/0006_note_versions.* up to 0001_create_otel_tables/),
    });
  });

  test('an edited migration is refused', async () => {
    const edited = clickhouseMigrations().map((migration) => ({ ...migration, checksum: 'other' }));
    await expect(migrate(clickhouse, edited)).rejects.toThrow(/0001_create_otel_tables\.sql was changed/);
  });

  const address = () => ({ url: engine.url, username: engine.username, password: engine.password });
});

describe('queries', () => {
  test('are typed at both ends; big numbers, decimals and nanoseconds keep every digit', async () => {
    const wide = defineQuery({
      name: 'test.wide',
      sql: `SELECT {n:UInt64} AS n, toDecimal128({d:String}, 18) AS d,
        toUnixTimestamp64Nano(parseDateTime64BestEffort({t:String}, 9, 'UTC')) AS t, {s:Array(String)} AS s`,
      params: z.object({ n: z.bigint(), d: z.string(), t: z.string(), s: z.array(z.string()) }),
      row: z.object({ n: z.coerce.bigint(), d: z.string(), t: z.coerce.bigint(), s: z.array(z.string()) }),
    });
    const params = {
      n: 18446744073709551615n,
      d: '12345678901234567890.123456789012345678',
      t: '2026-05-31T17:00:00.123456789Z',
      s: ["a'b\n"],
    };
    expect(await clickhouse.query(wide, params)).toEqual([{ ...params, t: 1780246800123456789n }]);
  });

  test('a parameter or a row that does not fit is an error that names the query', async () => {
    const typed = defineQuery({
      name: 'test.typed',
      sql: 'SELECT {a:UInt8} AS a',
      params: z.object({ a: z.number() }),
      row: z.object({ a: z.string() }),
    });
    await expect(clickhouse.query(typed, { a: 'x' } as never)).rejects.toMatchObject({
      code: 'engine.failed',
    });
    await expect(clickhouse.query(typed, { a: 1 })).rejects.toThrow(/test\.typed: a row does not fit/);
  });

  test('what ClickHouse refuses is engine.failed, what is not there engine.unavailable', async () => {
    await expect(clickhouse.query(ask('SELECT nope'), {})).rejects.toMatchObject({ code: 'engine.failed' });
    // Nobody waits for a second try.
    const stop = new AbortController();
    const logger = { warn: () => stop.abort() };
    const nobody = connectClickHouse({ url: 'http://127.0.0.1:1', database: 'x' }, { logger });
    const { signal } = stop;
    await expect(nobody.query(ask('SELECT 1'), {}, { signal })).rejects.toMatchObject({ retryable: true });
    expect(await nobody.ping()).toBe(false);
    await nobody.close();
    expect(await clickhouse.ping()).toBe(true);
  });

  test('a stream gives a million rows one by one, and may be left early', async () => {
    const numbers = defineQuery({
      name: 'test.numbers',
      sql: 'SELECT number AS n FROM numbers({count:UInt64})',
      params: z.object({ count: z.number() }),
      row: z.object({ n: z.coerce.number() }),
    });
    let next = 0;
    for await (const { n } of clickhouse.stream(numbers, { count: 1_000_000 })) if (n === next) next++;
    expect(next).toBe(1_000_000);
    for await (const { n } of clickhouse.stream(numbers, { count: 100_000_000 })) if (n > 10) break;
    const running = ask("SELECT count() AS c FROM system.processes WHERE query LIKE '%AS n FROM numbers(%'");
    await expect.poll(async () => (await clickhouse.query(running, {}))[0]?.c, { timeout: 30_000 }).toBe('1');
  });

  test('a stream whose query fails in the middle fails', async () => {
    const failing = ask('SELECT throwIf(number = 900000) AS z FROM numbers(1000000)');
    const read = async () => {
      for await (const _ of clickhouse.stream(failing, {})) {
        // All rows, up to the failure.
      }
    };
    await expect(read()).rejects.toMatchObject({ code: 'engine.failed' });
  });
});

describe('inserts', () => {
  const span = { Timestamp: '2026-01-01T00:00:00.123456789Z', TraceId: 'a'.repeat(32), SpanName: 'x' };

  test('the same token stores once, in the table and in what its view feeds', async () => {
    for (const token of ['t1', 't1', 't2']) await clickhouse.insertRows('otel_traces', [span], { token });
    expect([await count('otel_traces'), await count('otel_traces_trace_id_ts')]).toEqual([2, 2]);
    const [row] = await clickhouse.query(
      ask('SELECT toUnixTimestamp64Nano(Timestamp) AS t FROM otel_traces LIMIT 1'),
      {},
    );
    expect(row?.t).toBe('1767225600123456789');
  });

  test('a span that came in two blocks is one span and one repeat', async () => {
    const traces = openTraces(clickhouse);
    const at = (second: number) => `2031-01-01T00:00:0${second}Z`;
    const spans = ['b', 'c'].map((id, i) => ({ ...span, SpanId: id.repeat(16), Timestamp: at(i + 1) }));
    const since = (second: number) => BigInt(Date.parse(at(second))) * 1_000_000n;
    await clickhouse.insertRows('otel_traces', spans, { token: 'both' });
    expect(await traces.countSpansSince(since(0))).toEqual({ spans: 2, repeats: 0 });
    await clickhouse.insertRows('otel_traces', [spans[1]!], { token: 'again' });
    expect(await traces.countSpansSince(since(0))).toEqual({ spans: 2, repeats: 1 });
    expect(await traces.countSpansSince(since(3))).toEqual({ spans: 0, repeats: 0 });
  });

  test('Native blocks, from bytes and from a stream, each token once', async () => {
    await clickhouse.command(
      'CREATE TABLE n (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100',
    );
    const block = Buffer.from([1, 3, 1, 97, 5, ...Buffer.from('UInt8'), 10, 10, 59]);
    await clickhouse.insertNative('n', ['a'], block, { token: '1' });
    await clickhouse.insertNative('n', ['a'], block, { token: '1' });
    await clickhouse.insertNative('n', ['a'], Readable.from([block.subarray(0, 4), block.subarray(4)]), {
      token: '2',
    });
    expect(
      await clickhouse.query(ask('SELECT groupArray(a) AS a FROM (SELECT a FROM n ORDER BY a)'), {}),
    ).toEqual([{ a: [10, 10, 10, 10, 59, 59] }]);
    await expect(
      clickhouse.insertNative('n', ['a'], Buffer.from('junk'), { token: '3' }),
    ).rejects.toMatchObject({
      code: 'engine.failed',
    });
    await expect(clickhouse.insertNative('n; DROP TABLE n', ['a'], block, { token: '4' })).rejects.toThrow(
      /not a name/,
    );
  });

  test('finance events keep their amounts, times and keys', async () => {
    const event = {
      Batch: '7',
      EventId: 'e1',
      Source: 's',
      Type: 'bill.posted',
      Version: 1,
      Time: '2026-05-31T17:00:00.000000001Z',
      ReceivedAt: '2026-05-31T17:00:01.5Z',
      Company: 'acme',
      Subject: 'bill:1',
      AmountText: '100.10',
      Amount: '100.10',
      Currency: 'EUR',
      KeyTypes: ['docno'],
      KeyValues: ['BILL/1'],
      JoinKeys: ['docno:acme:BILL/1'],
      Attributes: { a: 'b' },
      Data: '{}',
    };
    for (let i = 0; i < 2; i++) await clickhouse.insertRows('finance_events', [event], { token: 'inbox:7' });
    const [row, ...more] = await clickhouse.query(
      ask('SELECT *, toUnixTimestamp64Nano(Time) AS ns FROM finance_events'),
      {},
    );
    expect(more).toEqual([]);
    expect(row).toMatchObject({
      Batch: '7',
      Amount: '100.1',
      AmountText: '100.10',
      CompanyAmount: null,
      ns: '1780246800000000001',
      JoinKeys: ['docno:acme:BILL/1'],
      Attributes: { a: 'b' },
    });
  });

  test('old names of the logs schema can be read', async () => {
    await clickhouse.insertRows(
      'otel_logs',
      [
        {
          Timestamp: '2026-01-01T00:00:00Z',
          Body: 'Tax engine answers 503',
          ResourceAttributes: { 'k8s.pod.name': 'p' },
        },
      ],
      { token: 'l' },
    );
    expect(
      await clickhouse.query(
        ask(
          "SELECT TimestampTime, `__otel_materialized_k8s.pod.name` AS pod FROM otel_logs WHERE hasToken(lower(Body), '503')",
        ),
        {},
      ),
    ).toEqual([{ TimestampTime: '2026-01-01 00:00:00', pod: 'p' }]);
  });
});

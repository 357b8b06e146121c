import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FinanceEvent } from '../../model/event.ts';
import { findCase } from './cases.ts';
import { type ClickHouse, connectClickHouse } from './client.ts';
import { openFinanceEvents } from './finance-events.ts';
import { migrate } from './migrate.ts';
import { type TemporaryEngine, temporaryEngine } from './testing/temporary.ts';
import { openTraces } from './traces.ts';

/** The case of a payment run: a key that thousands of documents of two companies share. */
const EVENTS = 20_000;
const event = (over: Partial<FinanceEvent> & Pick<FinanceEvent, 'id' | 'subject'>): FinanceEvent => ({
  source: 'erp',
  type: 'payment.sent',
  version: 1,
  time: '2026-06-01T00:00:00Z',
  receivedAt: '2026-06-01T00:00:00Z',
  batch: '1',
  sequence: '0',
  company: 'acme',
  ingestPath: 'push',
  keys: [],
  attributes: {},
  data: '{}',
  ...over,
});
let engine: TemporaryEngine;
let clickhouse: ClickHouse;
beforeAll(async () => {
  engine = await temporaryEngine();
  clickhouse = connectClickHouse(engine);
  await migrate(clickhouse);
  const run = Array.from({ length: EVENTS }, (_, n) =>
    event({
      id: `e${n}`,
      time: new Date(1_780_000_000_000 + n * 1000).toISOString(),
      company: n % 2 === 0 ? 'acme' : 'beta',
      subject: `pay/${n >> 1}`,
      keys: [{ type: 'batch', value: 'RUN' }],
    }),
  );
  await openFinanceEvents(clickhouse).insert(run, 'run');
});
afterAll(async () => {
  await clickhouse.close();
  await engine.remove();
});

/** A ClickHouse that counts the rows it gives. */
function counting(): { clickhouse: ClickHouse; rows: () => number } {
  let rows = 0;
  const query: ClickHouse['query'] = async (...args) => {
    const answer = await clickhouse.query(...args);
    rows += answer.length;
    return answer;
  };
  return {
    clickhouse: new Proxy(clickhouse, {
      get: (of, name) => (name === 'query' ? query : Reflect.get(of, name)),
    }),
    rows: () => rows,
  };
}

test('shows the first 200 documents, and reads little more', async () => {
  const reads = counting();
  const found = await findCase({ ...reads, traces: openTraces(clickhouse) }, '*', ['batch:erp:RUN']);
  expect(found.documents).toHaveLength(200);
  expect(found.truncated).toBe(true);
  expect(found.documents[0]).toMatchObject({ company: 'acme', subject: 'pay/0', hop: 0, kind: 'payment' });
  expect(reads.rows()).toBeLessThan(1000);
});

test('companies that are not readable are neither shown nor read', async () => {
  const reads = { clickhouse, traces: openTraces(clickhouse) };
  const found = await findCase(reads, ['beta'], ['batch:erp:RUN']);
  expect(found.documents).toHaveLength(200);
  expect(new Set(found.documents.map(({ company }) => company))).toEqual(new Set(['beta']));
  expect(found.documents[1]?.subject).toBe('pay/1');
  expect((await findCase(reads, [], ['batch:erp:RUN'])).documents).toEqual([]);
});

test('finds a document whose subject another source has used for one of the case already', async () => {
  const keys = (own: Record<string, string>) => Object.entries(own).map(([type, value]) => ({ type, value }));
  const events = [
    event({ id: 't1', type: 'bill.posted', subject: 'move/1', keys: keys({ docno: 'T1', po: 'TP' }) }),
    event({ id: 't2', type: 'bill.received', source: 'ocr', subject: 'move/1', keys: keys({ po: 'TP' }) }),
    event({
      id: 't3',
      type: 'bill.posted',
      source: 'other',
      subject: 'move/1',
      keys: keys({ docno: 'T3' }),
    }),
  ];
  await openFinanceEvents(clickhouse).insert(events, 'twins');
  const found = await findCase({ clickhouse, traces: openTraces(clickhouse) }, ['acme'], ['docno:acme:T1']);
  expect(found.documents.map(({ source, hop }) => `${hop} ${source}`)).toEqual(['0 erp', '1 ocr']);
});

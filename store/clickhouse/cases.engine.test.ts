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
let engine: TemporaryEngine;
let clickhouse: ClickHouse;
beforeAll(async () => {
  engine = await temporaryEngine();
  clickhouse = connectClickHouse(engine);
  await migrate(clickhouse);
  const run = Array.from(
    { length: EVENTS },
    (_, n): FinanceEvent => ({
      id: `e${n}`,
      source: 'erp',
      type: 'payment.sent',
      version: 1,
      time: new Date(1_780_000_000_000 + n * 1000).toISOString(),
      receivedAt: '2026-06-01T00:00:00Z',
      batch: '1',
      sequence: '0',
      company: n % 2 === 0 ? 'acme' : 'beta',
      subject: `pay/${n >> 1}`,
      ingestPath: 'push',
      keys: [{ type: 'batch', value: 'RUN' }],
      attributes: {},
      data: '{}',
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

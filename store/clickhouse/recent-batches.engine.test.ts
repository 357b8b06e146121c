import { afterAll, expect, test } from 'vitest';
import type { FinanceEvent } from '../../model/event.ts';
import { event } from '../../test/detection-house.ts';
import { temporaryStores } from '../../test/temporary-stores.ts';
import type { BatchFacts } from './finance-event-rows.ts';
import { openFinanceEvents } from './finance-events.ts';
import { RecentBatches } from './recent-batches.ts';

const stores = await temporaryStores();
afterAll(() => stores.remove());

async function all(rows: AsyncIterable<readonly BatchFacts[]>): Promise<BatchFacts[]> {
  const found: BatchFacts[] = [];
  for await (const some of rows) found.push(...some);
  return found.sort((a, b) => (a.id < b.id ? -1 : 1));
}

const plain = (id: string, batch: string, given: Partial<FinanceEvent> = {}): FinanceEvent => ({
  ...event('bill.posted', '2', { subject: id }),
  id,
  batch,
  ...given,
});

/** Events with all that a sender may come upon. */
const ODD: FinanceEvent[] = [
  plain('a', '1'),
  plain('b', '1', {
    type: 'bill.received',
    time: '2026-05-02T03:04:05.123456789Z',
    receivedAt: '2026-05-02T03:04:06.789Z',
    sequence: '-7',
    docNumber: 'BILL/1',
    state: 'posted',
    period: '2026-05',
    partyKey: 'S1',
    amount: '-1234567890123456789.123456789012345678',
    currency: 'EUR',
    companyAmount: '0.10',
    companyCurrency: 'CHF',
    actorId: 'u-1',
    actorKind: 'human',
    traceId: '5b8efff798038103d269b633813fc60c',
    spanId: 'eee19b7ec3c1b174',
    correlationId: 'c-1',
    flow: 'ap-bills',
    ingestPath: 'backfill',
    keys: [
      { type: 'docno', value: 'BILL/1' },
      { type: 'supref', value: 'V:1', strength: 'heuristic' },
    ],
    attributes: { queue: "a 'quoted'\tone", ümlaut: '漢字 \u0001 \\ "' },
    data: '{"lines":[{"poline":"P1#1","qty":"2"}],"note":"line\\nbreak"}',
  }),
  plain('c', '2', {
    subject: 'lone \ud800 half',
    docNumber: '',
    attributes: { 'x\udc00': '\ud83d' },
    data: '{}',
  }),
  plain('d', '2', { subject: '😀', amount: '', data: '{"a":"\ud800"}' }),
];

test('what was just written is given out as ClickHouse gives it out', async () => {
  const events = openFinanceEvents(stores.clickhouse);
  await events.insert(ODD, 'odd');
  for (const types of [['bill.posted'], ['*'], []]) {
    const read = await all(events.factsInBatches(0n, 2n, types));
    expect(read).toHaveLength(4);
    const writer = openFinanceEvents(stores.clickhouse);
    await writer.insert(ODD, 'odd');
    expect(await all(writer.factsInBatches(0n, 2n, types, { rows: 4 }))).toEqual(read);
  }
});

test('what others wrote too is read, and so is what was given out before', async () => {
  const events = openFinanceEvents(stores.clickhouse);
  await events.insert([plain('e', '3'), plain('f', '4')], 'mine');
  await openFinanceEvents(stores.clickhouse).insert([plain('g', '4')], 'theirs');
  const ids = async (after: bigint, upTo: bigint, rows: number) =>
    (await all(events.factsInBatches(after, upTo, [], { rows }))).map(({ id }) => id);
  expect(await ids(2n, 3n, 1)).toEqual(['e']);
  expect(await ids(3n, 4n, 2)).toEqual(['f', 'g']);
  expect(await ids(2n, 4n, 3)).toEqual(['e', 'f', 'g']);
});

test('the oldest batches are let go when there are more events than are kept', () => {
  const recent = new RecentBatches(3);
  const take = (batch: bigint, rows: number) =>
    recent.take({ after: batch - 1n, upTo: batch, rows }, () => true)?.map(({ id }) => id);
  recent.note([plain('a', '1'), plain('b', '1')]);
  recent.note([plain('c', '2'), plain('d', '3')]);
  expect(take(1n, 2)).toBeUndefined();
  expect(take(2n, 1)).toEqual(['c']);
  expect(take(2n, 1)).toBeUndefined();
  recent.note(Array.from({ length: 4 }, (_, i) => plain(`m${i}`, '4')));
  expect(take(4n, 4)).toBeUndefined();
  expect(take(3n, 1)).toEqual(['d']);
});

test('a batch whose insert failed is not taken for written', async () => {
  const failing = new Proxy(stores.clickhouse, {
    get(target, name) {
      if (name === 'insertNative') return () => Promise.reject(new Error('down'));
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const events = openFinanceEvents(failing);
  await expect(events.insert([plain('z', '9')], 'failed')).rejects.toThrow('down');
  await expect(all(events.factsInBatches(8n, 9n, [], { rows: 1 }))).resolves.toEqual([]);
});

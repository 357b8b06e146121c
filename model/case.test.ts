import { expect, test } from 'vitest';
import { type CaseSource, documentId, timelineOf, walkCase } from './case.ts';
import type { FinanceEvent } from './event.ts';
import { joinKeysOf } from './key.ts';
import type { Span } from './span.ts';

let sequence = 0;
const event = (
  type: string,
  subject: string,
  keys: Record<string, string>,
  over: Partial<FinanceEvent> = {},
): FinanceEvent => ({
  id: `e${++sequence}`,
  source: 'odoo',
  type,
  version: 1,
  time: `2026-05-0${1 + (sequence % 9)}T00:00:00Z`,
  receivedAt: '2026-05-01T00:00:00Z',
  batch: '1',
  sequence: `${sequence}`,
  company: 'acme',
  subject,
  ingestPath: 'push',
  keys: Object.entries(keys).map(([type, value]) => ({ type, value })),
  attributes: {},
  data: '{}',
  ...over,
});
const store = (events: readonly FinanceEvent[], read: { rows: number } = { rows: 0 }): CaseSource => {
  const counted = <T>(rows: T[]): T[] => {
    read.rows += rows.length;
    return rows;
  };
  return {
    documents: async (keys, limit) => {
      const touched = events.filter((e) => joinKeysOf(e).some((key) => keys.includes(key)));
      return counted([...new Map(touched.map((e) => [documentId(e), e])).values()].slice(0, limit));
    },
    events: async (names, limit) => {
      const ids = new Set(names.map(documentId));
      return counted(events.filter((e) => ids.has(documentId(e))).slice(0, limit));
    },
  };
};
const subjects = (found: Awaited<ReturnType<typeof walkCase>>) =>
  found.documents.map((d) => `${d.hop} ${d.subject}`);

test('goes from the bill to its order and receipt, with every event of each', async () => {
  const events = [
    event('bill.received', 'bill/1', { docno: 'B1', po: 'P1' }),
    event('bill.posted', 'bill/1', { docno: 'B1' }),
    event('purchaseorder.confirmed', 'po/1', { po: 'P1' }),
    event('goodsreceipt.recorded', 'gr/1', { po: 'P1' }),
    event('bill.posted', 'bill/2', { docno: 'B2' }),
  ];
  const found = await walkCase(['docno:acme:B1'], store(events));
  expect(subjects(found)).toEqual(['0 bill/1', '1 po/1', '1 gr/1']);
  expect(found.documents[0]?.events).toHaveLength(2);
  expect(found.edges.map((edge) => edge.key)).toEqual(['po:acme:P1', 'po:acme:P1']);
  expect(found.truncated).toBe(false);
});

test('shows a payment but not what else it pays, unless one begins there', async () => {
  const events = [
    event('bill.posted', 'bill/1', { docno: 'B1', payref: 'R' }),
    event('bill.posted', 'bill/2', { docno: 'B2', e2e: 'E' }),
    event('payment.sent', 'pay/1', { payref: 'R', e2e: 'E' }),
  ];
  expect(subjects(await walkCase(['docno:acme:B1'], store(events)))).toEqual(['0 bill/1', '1 pay/1']);
  expect(subjects(await walkCase(['subject:odoo:pay/1'], store(events)))).toEqual([
    '0 pay/1',
    '1 bill/1',
    '1 bill/2',
  ]);
});

test('does not pass through a trace or a batch', async () => {
  const traceId = 'a'.repeat(32);
  const events = [
    event('bill.posted', 'bill/1', { docno: 'B1', batch: 'N' }, { traceId }),
    event('bill.posted', 'bill/2', { docno: 'B2' }, { traceId }),
    event('bill.posted', 'bill/3', { docno: 'B3', batch: 'N' }),
  ];
  expect(subjects(await walkCase(['docno:acme:B1'], store(events)))).toEqual(['0 bill/1']);
  expect(subjects(await walkCase([`trace:${traceId}`], store(events)))).toEqual(['0 bill/1', '0 bill/2']);
});

test('stops after three hops and at the limit of documents, and says so', async () => {
  const chain = [0, 1, 2, 3, 4].map((n) =>
    event('order.made', `o/${n}`, { po: `L${n}`, docno: `L${n + 1}` }),
  );
  const linked = chain.map((e, n) => ({
    ...e,
    keys: [
      { type: 'x', value: `L${n}` },
      { type: 'x', value: `L${n + 1}` },
    ],
  }));
  expect(subjects(await walkCase(['x:acme:L0'], store(linked)))).toEqual([
    '0 o/0',
    '1 o/1',
    '2 o/2',
    '3 o/3',
  ]);
  const wide = Array.from({ length: 10 }, (_, n) => event('order.made', `w/${n}`, { po: 'W' }));
  const cut = await walkCase(['po:acme:W'], store(wide), { hops: 3, documents: 4, events: 100 });
  expect([cut.documents.length, cut.truncated]).toEqual([4, true]);
});

test('reads one document and one event more than it shows, however many there are', async () => {
  const run = Array.from({ length: 500 }, (_, n) => event('bill.posted', `b/${n % 250}`, { batch: 'N' }));
  const read = { rows: 0 };
  const found = await walkCase(['batch:odoo:N'], store(run, read), { hops: 3, documents: 10, events: 12 });
  expect([found.documents.length, found.truncated]).toEqual([10, true]);
  expect(found.documents.flatMap(({ events }) => events)).toHaveLength(12);
  expect(read.rows).toBeLessThan(100);
});

test('an unknown key is an empty case', async () => {
  expect(await walkCase(['docno:acme:NONE'], store([]))).toEqual({
    documents: [],
    edges: [],
    truncated: false,
  });
});

test('a timeline is one order of time: equal instants by sequence, events before spans', () => {
  const at = { time: '2026-05-01T00:00:00.000000001Z' };
  const [a, b] = [
    event('bill.a', 's', {}, { ...at, sequence: '2' }),
    event('bill.b', 's', {}, { ...at, sequence: '1' }),
  ];
  const span = { spanId: 's1', startNs: '1777593600000000001' } as Span;
  const early = { spanId: 's0', startNs: '1777593600000000000' } as Span;
  const names = timelineOf([a, b], [span, early]).map((e) =>
    e.kind === 'event' ? e.event.type : e.span.spanId,
  );
  expect(names).toEqual(['s0', 'bill.b', 'bill.a', 's1']);
});

test('a document is named by company, source and subject', () => {
  expect(documentId({ company: 'a', source: 'b', subject: 'c' })).not.toBe(
    documentId({ company: 'a', source: 'b c', subject: '' }),
  );
});

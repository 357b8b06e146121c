import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CASE_LIMITS, type CaseSource, walkCase } from './case.ts';
import { documentId } from './case-document.ts';
import { timelineOf } from './case-timeline.ts';
import type { FinanceEvent } from './event.ts';
import { joinKeysOf } from './key.ts';
import type { LogRecord } from './log.ts';
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
    events: async (keys, first, known) => {
      const leftOut = new Set(known.map(documentId));
      const ids = new Set(
        keys.flatMap((key) => {
          const touched = events.filter((e) => joinKeysOf(e).includes(key) && !leftOut.has(documentId(e)));
          return [...new Set(touched.map(documentId))].slice(0, first.documents);
        }),
      );
      return counted(events.filter((e) => ids.has(documentId(e))).slice(0, first.events));
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
  expect(found.edges.map(({ type, key }) => `${type} ${key}`).sort()).toEqual([
    'bills po:acme:P1',
    'bills po:acme:P1',
    'receives po:acme:P1',
  ]);
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
  const cut = await walkCase(['po:acme:W'], store(wide), { ...CASE_LIMITS, documents: 4 });
  expect([cut.documents.length, cut.truncated]).toEqual([4, true]);
});

test('reads one document and one event more than it shows, however many there are', async () => {
  const run = Array.from({ length: 500 }, (_, n) => event('bill.posted', `b/${n % 250}`, { batch: 'N' }));
  const read = { rows: 0 };
  const found = await walkCase(['batch:odoo:N'], store(run, read), {
    ...CASE_LIMITS,
    documents: 10,
    events: 12,
  });
  expect([found.documents.length, found.truncated]).toEqual([10, true]);
  expect(found.documents.flatMap(({ events }) => events)).toHaveLength(12);
  expect(read.rows).toBeLessThan(100);
});

test('an unknown key is an empty case', async () => {
  expect(await walkCase(['docno:acme:NONE'], store([]))).toEqual({
    documents: [],
    edges: [],
    groups: [],
    truncated: false,
  });
});

test('a timeline is one order of time: equal instants by sequence, events before spans before logs', () => {
  const at = { time: '2026-05-01T00:00:00.000000001Z' };
  const [a, b] = [
    event('bill.a', 's', {}, { ...at, sequence: '2' }),
    event('bill.b', 's', {}, { ...at, sequence: '1' }),
  ];
  const span = { spanId: 's1', startNs: '1777593600000000001' } as Span;
  const early = { spanId: 's0', startNs: '1777593600000000000' } as Span;
  const log = { body: 'l', timeNs: '1777593600000000001' } as LogRecord;
  const names = timelineOf([a, b], [span, early], [log]).map((e) =>
    e.kind === 'event' ? e.event.type : e.kind === 'span' ? e.span.spanId : e.log.body,
  );
  expect(names).toEqual(['s0', 'bill.b', 'bill.a', 's1', 'l']);
});

test('a document is named by company, source and subject', () => {
  expect(documentId({ company: 'a', source: 'b', subject: 'c' })).not.toBe(
    documentId({ company: 'a', source: 'b c', subject: '' }),
  );
});

test('a heuristic key suggests a document, with a score, and leads no further', async () => {
  const events = [
    event('bill.posted', 'bill/1', { docno: 'B1', payref: 'invoice of May' }),
    event('payment.registered', 'run/1', { payref: 'INVOICE OF MAY', po: 'P9' }),
    event('journalentry.posted', 'entry/1', { payref: 'invoice of may', docno: 'J1' }),
    event('bill.posted', 'bill/2', { docno: 'J1' }),
  ];
  const found = await walkCase(['docno:acme:B1'], store(events));
  expect(found.documents.map(({ subject, inferred }) => [subject, inferred])).toEqual([
    ['bill/1', false],
    ['run/1', true],
    ['entry/1', true],
  ]);
  const pays = found.edges.find(({ type }) => type === 'pays');
  expect(pays).toMatchObject({ strength: 'heuristic', inferred: true, score: 0.25 });
});

test('a key that more documents share than the cap is a link, and joins nothing', async () => {
  const many = Array.from({ length: 6 }, (_, n) =>
    event('bill.posted', `b/${n}`, { docno: `N${n}`, supref: 'S' }),
  );
  const found = await walkCase(['docno:acme:N2'], store(many), { ...CASE_LIMITS, fanOut: 4 });
  expect(subjects(found)).toEqual(['0 b/2']);
  expect(found.groups).toEqual([{ key: 'supref:acme:S', documents: 6 }]);
  expect(found.edges).toEqual([]);
  expect(
    (await walkCase(['supref:acme:S'], store(many), { ...CASE_LIMITS, fanOut: 4 })).documents,
  ).toHaveLength(6);
});

test('keys of another company never join, whatever they are', async () => {
  const value = fc.constantFrom('A1', 'a-1', 'A2', '7', '007');
  const type = fc.constantFrom('docno', 'po', 'supref', 'correlation', 'madeup', 'payref');
  const one = fc.record({
    company: fc.constantFrom('acme', 'globex', 'initech'),
    subject: fc.constantFrom('s/1', 's/2', 's/3', 's/4'),
    keys: fc.array(fc.record({ type, value }), { maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(one, { maxLength: 12 }), value, async (given, asked) => {
      const events = given.map(({ company, subject, keys }) =>
        event('bill.posted', subject, {}, { company, source: `/${company}`, keys }),
      );
      const found = await walkCase([`docno:acme:${asked}`], store(events));
      expect(found.documents.every(({ company }) => company === 'acme')).toBe(true);
    }),
  );
});

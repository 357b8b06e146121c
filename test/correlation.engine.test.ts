import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ADMIN_TOKEN,
  closewatch,
  environment,
  INGEST_TOKEN,
  temporaryFolder,
  type Up,
  until,
  up,
} from './harness.ts';

/** Every record is found from every key: four systems tell of one bill, among others that only look alike. */
const folder = temporaryFolder();
let running: Up;
let foreign: string;
beforeAll(async () => {
  const env = environment(folder.path);
  running = await up(folder.path, env);
  const made = await closewatch(
    ['token', 'create', '--source', '/erp', '--company', 'globex', '--data-dir', folder.path],
    env,
  );
  foreign = made.stdout.trim();
  await sendEvents(EVENTS);
  await sendSpans([...SPANS, ...DECOY_SPANS]);
  await sendSpans([span('f1', 9, { 'document.number': 'BILL/7', 'closewatch.company': 'acme' })], foreign);
  await sendLogs();
  await until(async () => ((await caseOf('docno:acme:BILL/7'))?.documents.length ?? 0) >= 5 || undefined);
});
afterAll(async () => {
  await running?.kill();
  folder.remove();
});

const AT = Date.now() - 3_600_000;
const hex = (text: string, size: number): string => Buffer.from(text.padEnd(size, '.')).toString('hex');
const traceOf = (name: string): string => hex(name, 16);

interface Given {
  readonly company?: string;
  readonly source?: string;
  readonly trace?: string;
  readonly correlation?: string;
  readonly money?: { readonly amount: string; readonly currency: string };
  readonly keys: Readonly<Record<string, string>>;
}
const event = (
  type: string,
  subject: string,
  { company = 'acme', source = '/odoo', trace, correlation, money, keys }: Given,
) => ({
  specversion: '1.0',
  id: `${company} ${source} ${subject} ${type}`,
  source,
  type: `closewatch.${type}.v1`,
  subject,
  time: new Date(AT).toISOString(),
  ...(trace ? { traceparent: `00-${traceOf(trace)}-${hex(trace, 8)}-01` } : {}),
  ...(correlation ? { correlationid: correlation } : {}),
  data: {
    object: { kind: type.split('.')[0] },
    org: { companyKey: company },
    ...(money ? { money } : {}),
    keys: Object.entries(keys).map(([name, value]) => ({ type: name, value })),
  },
});

const EVENTS = [
  event('bill.received', 'doc/7', {
    source: '/ocr',
    trace: 'ocr',
    correlation: 'run-7',
    keys: { docno: 'bill-7' },
  }),
  event('bill.posted', 'account.move/7', { trace: 'post', keys: { docno: 'BILL/7', po: 'P00042' } }),
  event('purchaseorder.confirmed', 'purchase.order/42', { source: '/procurement', keys: { po: 'P00042' } }),
  event('goodsreceipt.recorded', 'picking/1', { source: '/wms', keys: { po: 'p00042' } }),
  event('payment.sent', 'payment/1', {
    keys: { payref: 'RF18539007547034', docno: 'BILL 7', batch: 'RUN-1' },
  }),
  // Two systems tell of one invoice, and disagree.
  event('invoice.issued', 'inv/1', {
    source: '/billing',
    money: { amount: '100.00', currency: 'EUR' },
    correlation: 'run-9',
    keys: { docno: 'INV/1' },
  }),
  event('invoice.posted', 'account.move/11', {
    money: { amount: '120.00', currency: 'EUR' },
    keys: { docno: 'INV/1' },
  }),
  event('invoice.posted', 'account.move/12', {
    source: '/shop',
    correlation: 'run-9',
    keys: { docno: 'INV/2' },
  }),
  // They look alike and are none of it.
  event('bill.posted', 'account.move/8', { company: 'globex', keys: { docno: 'BILL/7', po: 'P00042' } }),
  event('bill.posted', 'account.move/70', { keys: { docno: 'BILL/70' } }),
  event('invoice.posted', 'account.move/9', { keys: { extid: 'BILL/7' } }),
  event('payment.sent', 'payment/2', { keys: { payref: 'rent', batch: 'RUN-1' } }),
  ...Array.from({ length: 120 }, (_, n) =>
    event('bill.posted', `move/${n}`, {
      company: 'initech',
      keys: { docno: `N/${n}`, supref: 'ALL', batch: 'BIG' },
    }),
  ),
];

const span = (trace: string, n: number, attributes: Record<string, string>) => ({
  traceId: traceOf(trace),
  spanId: hex(`${trace}${n}`, 8),
  name: `step ${n}`,
  kind: 1,
  startTimeUnixNano: `${AT + n}000000`,
  endTimeUnixNano: `${AT + n + 5}000000`,
  attributes: Object.entries(attributes).map(([key, stringValue]) => ({ key, value: { stringValue } })),
});
const SPANS = [
  span('ocr', 1, {}),
  // No event names this trace: its key alone leads to it.
  span('tax', 1, { 'closewatch.company': 'acme', 'document.number': 'BILL/7' }),
  span('tax', 2, {}),
];
const DECOY_SPANS = [
  span('other', 1, { 'closewatch.company': 'globex', 'document.number': 'BILL/7' }),
  span('nobody', 1, { 'document.number': 'BILL/7' }),
  // The work on many documents: of it only the span of the bill belongs here.
  ...Array.from({ length: 60 }, (_, n) =>
    span('night', n, { 'closewatch.company': 'acme', 'document.number': n === 0 ? 'BILL/7' : `X/${n}` }),
  ),
];

async function sendEvents(events: readonly object[]): Promise<void> {
  const answer = await fetch(`${running.collectorUrl}/v1/events`, {
    method: 'POST',
    headers: {
      'content-type': 'application/cloudevents-batch+json',
      authorization: `Bearer ${INGEST_TOKEN}`,
    },
    body: JSON.stringify(events),
  });
  expect([answer.status, await answer.json()]).toMatchObject([202, { refused: [] }]);
}
async function sendOtlp(path: string, body: object, token: string): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  const answer = await fetch(`${running.collectorUrl}${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  expect([answer.status, await answer.text()]).toEqual([200, '{}']);
}
const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'erp' } }] };
const sendSpans = (spans: readonly object[], token = INGEST_TOKEN) =>
  sendOtlp('/v1/traces', { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }, token);
const sendLogs = () => {
  const log = (trace: string, body: string) => ({
    timeUnixNano: `${AT + 3}000000`,
    traceId: traceOf(trace),
    severityNumber: 17,
    body: { stringValue: body },
  });
  const logRecords = [
    log('tax', 'tax engine answered 503'),
    log('other', 'of globex'),
    log('night', 'of the night'),
  ];
  return sendOtlp('/v1/logs', { resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] }, INGEST_TOKEN);
};

interface Shown {
  documents: {
    id: string;
    company: string;
    kind: string;
    subject: string;
    source: string;
    inferred: boolean;
  }[];
  edges: { from: string; to: string; type: string; inferred: boolean }[];
  groups: { key: string; documents: number }[];
  traceIds: string[];
  timeline: {
    kind: string;
    event: { subject: string } | null;
    span: { traceId: string; name: string } | null;
    log: { body: string } | null;
  }[];
}
const caseOf = async (key: string): Promise<Shown | null> =>
  (
    await running.graphql<{ case: Shown | null }>(
      `{ case(key: ${JSON.stringify(key)}) {
        documents { id company kind subject source inferred } edges { from to type inferred } groups { key documents } traceIds
        timeline { kind event { subject } span { traceId name } log { body } } } }`,
    )
  ).case;
const subjects = (found: Shown | null): string[] =>
  (found?.documents ?? []).map(({ subject }) => subject).sort();
const OF_THE_BILL = ['account.move/7', 'doc/7', 'payment/1', 'picking/1', 'purchase.order/42'];

test.each([
  'docno:acme:BILL/7',
  'docno:acme:bill 7',
  'subject:/ocr:doc/7',
  'correlation:acme:run-7',
  `trace:${traceOf('post')}`,
  'po:acme:P00042',
])('from %s the whole case is found, and nothing else', async (key) => {
  const found = await caseOf(key);
  expect(subjects(found)).toEqual(OF_THE_BILL);
  expect(new Set(found?.documents.map(({ company }) => company))).toEqual(new Set(['acme']));
});

test('edges say what one document does to another', async () => {
  const found = await caseOf('docno:acme:BILL/7');
  const name = (id: string): string => found?.documents.find((one) => one.id === id)?.subject ?? id;
  expect(found?.edges.map(({ from, type, to }) => `${name(from)} ${type} ${name(to)}`).sort()).toEqual([
    'account.move/7 bills picking/1',
    'account.move/7 bills purchase.order/42',
    'doc/7 same account.move/7',
    'payment/1 pays account.move/7',
    'payment/1 pays doc/7',
    'picking/1 receives purchase.order/42',
  ]);
  expect(found?.edges.every(({ inferred }) => !inferred)).toBe(true);
});

test('spans and log records are found by the keys of the documents; those of another company never', async () => {
  const found = await caseOf('docno:acme:BILL/7');
  const spans = (found?.timeline ?? []).flatMap(({ span }) => (span ? [`${span.traceId} ${span.name}`] : []));
  expect(spans.sort()).toEqual(
    [
      `${traceOf('ocr')} step 1`,
      `${traceOf('tax')} step 1`,
      `${traceOf('tax')} step 2`,
      `${traceOf('night')} step 0`,
    ].sort(),
  );
  expect((found?.timeline ?? []).flatMap(({ log }) => (log ? [log.body] : []))).toEqual([
    'tax engine answered 503',
  ]);
});

test('a batch is a link, and so is a key that too many documents share', async () => {
  const found = await caseOf('docno:acme:BILL/7');
  expect(found?.groups).toEqual([{ key: 'batch:/odoo:RUN-1', documents: 2 }]);
  const one = await caseOf('docno:initech:N/3');
  expect(subjects(one)).toEqual(['move/3']);
  expect(one?.groups).toEqual([
    { key: 'supref:initech:ALL', documents: 120 },
    { key: 'batch:/odoo:BIG', documents: 120 },
  ]);
  expect((await caseOf('batch:/odoo:BIG'))?.documents).toHaveLength(120);
});

test('a sender that may send for one company cannot join spans to another', async () => {
  const answer = await fetch(`${running.apiUrl}/metrics`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  expect(await answer.text()).toMatch(/^closewatch_span_keys(_total)?\{outcome="foreign"\} 1$/m);
});

test('from a span to its documents and back', async () => {
  const { trace } = await running.graphql<{
    trace: {
      documents: { subject: string }[];
      spans: { name: string; documents: { subject: string }[] }[];
    } | null;
  }>(`{ trace(id: "${traceOf('tax')}") { documents { subject } spans { name documents { subject } } } }`);
  expect(trace?.documents.map(({ subject }) => subject).sort()).toEqual([
    'account.move/7',
    'doc/7',
    'payment/1',
  ]);
  expect(trace?.spans.map(({ name, documents }) => [name, documents.length])).toEqual([
    ['step 1', 3],
    ['step 2', 0],
  ]);
});

test('what two systems say differently is shown on the case, recorded, and resolved when they agree', async () => {
  interface Told {
    about: string;
    key: string;
    said: { source: string; value: string }[];
  }
  const listed = async (): Promise<Told[]> =>
    (
      await running.graphql<{ contradictions: { contradiction: Told }[] }>(
        '{ contradictions(company: "acme") { contradiction { about key said { source value } } } }',
      )
    ).contradictions.map(({ contradiction }) => contradiction);
  const { case: found } = await running.graphql<{ case: { contradictions: Told[] } }>(
    '{ case(key: "docno:acme:INV/1") { contradictions { about key said { source value } } } }',
  );
  const amount = expect.objectContaining({ about: 'amount', key: 'docno:acme:INV1' });
  const docno = expect.objectContaining({ about: 'docno', key: 'correlation:acme:run-9' });
  expect(found.contradictions).toEqual(expect.arrayContaining([amount, docno]));
  expect(
    found.contradictions
      .find(({ about }) => about === 'amount')
      ?.said.map(({ value }) => value)
      .sort(),
  ).toEqual(['100.00', '120.00']);
  const recorded = await until(async () => {
    const now = await listed();
    return now.length >= 2 ? now : undefined;
  }, 90_000);
  expect(recorded).toEqual(expect.arrayContaining([amount, docno]));
  const mended = event('invoice.changed', 'inv/1', {
    source: '/billing',
    money: { amount: '120.00', currency: 'EUR' },
    correlation: 'run-9',
    keys: { docno: 'INV/1' },
  });
  await sendEvents([{ ...mended, time: new Date(AT + 60_000).toISOString() }]);
  await until(
    async () => ((await listed()).every(({ about }) => about !== 'amount') ? true : undefined),
    90_000,
  );
  expect(await listed()).toEqual([docno]);
}, 200_000);

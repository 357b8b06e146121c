import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { environment, INGEST_TOKEN, temporaryFolder, type Up, until, up } from './harness.ts';
import { encodeRequest } from './otlp-proto.ts';

/** Telemetry and finance events come through one door and into one engine: what a flood of the first does to the second. */
const folder = temporaryFolder();
let running: Up;
beforeAll(async () => {
  running = await up(folder.path, environment(folder.path));
});
afterAll(async () => {
  await running?.kill();
  folder.remove();
});

const SENDERS = 48;
const SPANS = 2_000;
const EVENTS = 60;
const authorization = `Bearer ${INGEST_TOKEN}`;
const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] ?? 0;

/** A request of 2,000 spans, as an exporter that fell behind sends it. */
function manySpans(seed: number): Uint8Array<ArrayBuffer> {
  const at = BigInt(Date.now()) * 1_000_000n;
  const spans = Array.from({ length: SPANS }, (_, n) => ({
    traceId: Buffer.from(`${seed}-${n >> 3}`.padEnd(16, '.')),
    spanId: Buffer.from(`${n}`.padEnd(8, '.')),
    name: `step ${n % 8}`,
    kind: 1,
    startTimeUnixNano: at,
    endTimeUnixNano: at + 1_000n,
    attributes: [{ key: 'document.number', value: { stringValue: `BILL/${seed}/${n}` } }],
  }));
  const request = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
  return new Uint8Array(gzipSync(request));
}

const eventOf = (n: number) => ({
  specversion: '1.0',
  id: `event ${n}`,
  source: '/erp',
  type: n % 2 === 0 ? 'closewatch.payment.sent.v1' : 'closewatch.bill.posted.v1',
  subject: `document/${n}`,
  time: new Date().toISOString(),
  data: {
    object: { kind: n % 2 === 0 ? 'payment' : 'bill' },
    org: { companyKey: 'acme' },
    keys: [{ type: 'docno', value: `D/${n}` }],
  },
});

async function post(path: string, type: string, body: string | Uint8Array<ArrayBuffer>) {
  const headers = {
    'content-type': type,
    authorization,
    ...(typeof body === 'string' ? {} : { 'content-encoding': 'gzip' }),
  };
  const start = performance.now();
  const response = await fetch(`${running.collectorUrl}${path}`, { method: 'POST', headers, body });
  await response.arrayBuffer();
  return { status: response.status, ms: performance.now() - start };
}

test('a flood of spans holds up no finance event: neither its 202 nor its way to the readers', async () => {
  const bodies = Array.from({ length: 8 }, (_, seed) => manySpans(seed));
  const flood: { status: number; ms: number }[] = [];
  let isOver = false;
  const sender = async (): Promise<void> => {
    for (let i = 0; !isOver; i++)
      flood.push(await post('/v1/traces', 'application/x-protobuf', bodies[i % bodies.length] ?? ''));
  };
  const senders = Array.from({ length: SENDERS }, sender);
  try {
    await until(async () => (flood.length > SENDERS ? true : undefined));
    const before = flood.length;
    const events: { status: number; ms: number }[] = [];
    for (let n = 0; n < EVENTS; n++)
      events.push(await post('/v1/events', 'application/cloudevents+json', JSON.stringify(eventOf(n))));
    expect(new Set(events.map(({ status }) => status))).toEqual(new Set([202]));
    // Readers have them while the flood goes on.
    await until(async () => {
      const { events: stored } = await running.graphql<{ events: { totalCount?: number; edges: unknown[] } }>(
        `{ events(source: "/erp", first: ${EVENTS}) { edges { cursor } } }`,
      );
      return stored.edges.length === EVENTS ? true : undefined;
    });
    expect(flood.length).toBeGreaterThan(before);
    // It did not stand in the queue of the spans: it waits for less than they do.
    const during = flood.slice(before).map(({ ms }) => ms);
    expect(median(events.map(({ ms }) => ms))).toBeLessThan(median(during));
  } finally {
    isOver = true;
    await Promise.all(senders);
  }
  expect(flood.every(({ status }) => [200, 429, 503].includes(status))).toBe(true);
  expect(flood.some(({ status }) => status === 200)).toBe(true);
});

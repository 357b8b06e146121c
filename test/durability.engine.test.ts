import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { INGEST_TOKEN, temporaryFolder, type Up, until, up } from './harness.ts';

/** kill -9 under load: what was answered with 2xx is there afterwards, once. More cycles: CLOSEWATCH_TEST_KILLS=20. */
const CYCLES = Number(process.env.CLOSEWATCH_TEST_KILLS ?? 4);
const folder = temporaryFolder();
let running: Up | undefined;
afterAll(async () => {
  await running?.kill();
  folder.remove();
});

const headers = (type: string) => ({ 'content-type': type, authorization: `Bearer ${INGEST_TOKEN}` });

function eventBatch(size: number): { ids: string[]; body: string } {
  const ids = Array.from({ length: size }, () => randomUUID());
  const events = ids.map((id, i) => ({
    specversion: '1.0',
    type: 'closewatch.bill.received.v1',
    source: '/ocr/prod',
    id,
    time: new Date().toISOString(),
    subject: `doc/${id}`,
    datacontenttype: 'application/json',
    data: {
      object: { kind: 'bill' },
      org: { companyKey: 'acme' },
      money: { amount: `${i}.10`, currency: 'EUR' },
      keys: [{ type: 'docno', value: id }],
    },
  }));
  return { ids, body: JSON.stringify(events) };
}

function spanRequest(size: number): { traceId: string; spanIds: string[]; body: string } {
  const traceId = randomBytes(16).toString('hex');
  const spanIds = Array.from({ length: size }, () => randomBytes(8).toString('hex'));
  const now = `${BigInt(Date.now()) * 1_000_000n}`;
  const spans = spanIds.map((spanId) => ({
    traceId,
    spanId,
    name: 'work',
    kind: 1,
    startTimeUnixNano: now,
    endTimeUnixNano: now,
  }));
  return { traceId, spanIds, body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }) };
}

/** Sends until the process dies; returns what was answered with 2xx. */
async function load(
  collectorUrl: string,
  ended: AbortSignal,
): Promise<{ events: string[]; traces: Map<string, string[]> }> {
  const events: string[] = [];
  const traces = new Map<string, string[]>();
  const post = async (path: string, type: string, body: string): Promise<boolean> => {
    try {
      return (await fetch(`${collectorUrl}${path}`, { method: 'POST', headers: headers(type), body })).ok;
    } catch {
      return false;
    }
  };
  const sendEvents = async () => {
    while (!ended.aborted) {
      const { ids, body } = eventBatch(5);
      if (await post('/v1/events', 'application/cloudevents-batch+json', body)) events.push(...ids);
    }
  };
  const sendSpans = async () => {
    while (!ended.aborted) {
      const { traceId, spanIds, body } = spanRequest(20);
      if (await post('/v1/traces', 'application/json', body)) traces.set(traceId, spanIds);
    }
  };
  await Promise.all([sendEvents(), sendEvents(), sendEvents(), sendSpans(), sendSpans(), sendSpans()]);
  return { events, traces };
}

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));

/** Every event of a source by pages, newest first, by id. */
async function storedEvents({ graphql }: Up): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  let after: string | null = null;
  do {
    const {
      events,
    }: {
      events: { edges: { node: { id: string } }[]; pageInfo: { endCursor: string; hasNextPage: boolean } };
    } = await graphql(
      'query($after: String) { events(source: "/ocr/prod", first: 200, after: $after) { edges { node { id } } pageInfo { endCursor hasNextPage } } }',
      { after },
    );
    for (const { node } of events.edges) counts.set(node.id, (counts.get(node.id) ?? 0) + 1);
    after = events.pageInfo.hasNextPage ? events.pageInfo.endCursor : null;
  } while (after);
  return counts;
}

test(`${CYCLES} times kill -9 during load: nothing that was answered is lost or doubled`, {
  timeout: 120_000 + CYCLES * 60_000,
}, async () => {
  const acknowledged = { events: [] as string[], traces: new Map<string, string[]>() };
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    running = await up(folder.path);
    const ended = new AbortController();
    const sending = load(running.collectorUrl, ended.signal);
    await sleep(1500 + Math.random() * 1500);
    await running.kill();
    ended.abort();
    const { events, traces } = await sending;
    acknowledged.events.push(...events);
    for (const [id, spans] of traces) acknowledged.traces.set(id, spans);
  }
  expect(acknowledged.events.length).toBeGreaterThan(CYCLES * 5);
  expect(acknowledged.traces.size).toBeGreaterThan(CYCLES);

  running = await up(folder.path);
  const final = running;
  const { graphql } = final;
  const stored = await until(async () => {
    const counts = await storedEvents(final);
    return acknowledged.events.every((id) => counts.has(id)) ? counts : undefined;
  }, 60_000);
  expect(acknowledged.events.filter((id) => stored.get(id) !== 1)).toEqual([]);

  for (const ids of chunks([...acknowledged.traces.keys()], 10)) {
    const query = ids.map((id, i) => `t${i}: trace(id: "${id}") { spans { spanId } }`).join('\n');
    const answer = await graphql<Record<string, { spans: { spanId: string }[] } | null>>(`{ ${query} }`);
    for (const [i, id] of ids.entries()) {
      const found = answer[`t${i}`]?.spans.map(({ spanId }) => spanId).sort() ?? [];
      expect([id, found]).toEqual([id, acknowledged.traces.get(id)?.toSorted()]);
    }
  }
  console.log(
    `${CYCLES} kills: ${acknowledged.events.length} events and ${acknowledged.traces.size * 20} spans answered, all there once`,
  );
});

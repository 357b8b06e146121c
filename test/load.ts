import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { INGEST_TOKEN } from './harness.ts';

const headers = (type: string) => ({ 'content-type': type, authorization: `Bearer ${INGEST_TOKEN}` });

export function eventBatch(size: number): { ids: string[]; body: string } {
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

export function spanRequest(size: number): { traceId: string; spanIds: string[]; body: string } {
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

/** What was answered with 2xx: ids of events, and of spans by trace. */
export interface Acknowledged {
  readonly events: string[];
  readonly traces: Map<string, string[]>;
}

export interface Load {
  stop(): Promise<void>;
}

/**
 * Sends from six senders until `stop`, through every failure, and notes what was answered with 2xx. With `again`, what was
 * not is sent again as it was, until it is.
 */
export function startLoad(collectorUrl: string, acknowledged: Acknowledged, again = false): Load {
  let isEnded = false;
  const postUntil = async (path: string, type: string, body: string): Promise<boolean> => {
    for (;;) {
      if (await post(path, type, body)) return true;
      if (!again || isEnded) return false;
      await sleep(200);
    }
  };
  const post = async (path: string, type: string, body: string): Promise<boolean> => {
    try {
      const response = await fetch(`${collectorUrl}${path}`, {
        method: 'POST',
        headers: headers(type),
        body,
      });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      // The whole answer must come: of what broke off nobody knows whether it is stored.
      await sleep(20);
      return false;
    }
  };
  const sendEvents = async () => {
    while (!isEnded) {
      const { ids, body } = eventBatch(5);
      if (await postUntil('/v1/events', 'application/cloudevents-batch+json', body))
        acknowledged.events.push(...ids);
    }
  };
  const sendSpans = async () => {
    while (!isEnded) {
      const { traceId, spanIds, body } = spanRequest(20);
      if (await postUntil('/v1/traces', 'application/json', body)) acknowledged.traces.set(traceId, spanIds);
    }
  };
  const senders = Promise.all([1, 2, 3].flatMap(() => [sendEvents(), sendSpans()]));
  return {
    async stop() {
      isEnded = true;
      await senders;
    },
  };
}

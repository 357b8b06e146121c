import { answerOf } from './again.ts';
import type { CloudEvent } from './events.ts';
import { countLogs, type LogsRequest } from './logs.ts';
import { countSpans, type TracesRequest } from './otlp.ts';

/** Where the landscape sends to, and the ingest token of each source; `telemetryToken` is that of spans and logs. */
export interface Collector {
  readonly url: string;
  readonly tokens: Readonly<Record<string, string>>;
  readonly telemetryToken: string;
  /** Aborted, it ends the waiting for a collector that is away or busy. */
  readonly signal?: AbortSignal;
}

const BATCH = 500;

/** Posts until it is answered: events and spans have ids, so that sending them again does no harm. */
async function post(
  { url: base, signal }: Collector,
  path: string,
  token: string,
  type: string,
  body: unknown,
): Promise<unknown> {
  const url = `${base}${path}`;
  const text = JSON.stringify(body);
  const send = () =>
    fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': type },
      body: text,
      signal: AbortSignal.timeout(60_000),
    });
  const response = await answerOf(send, { signal });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${answer.slice(0, 500)}`);
  try {
    return JSON.parse(answer);
  } catch {
    return {};
  }
}

/**
 * Sends events to `POST /v1/events` in order, in batches, each source with its own token. Resolves with how many were
 * answered 2xx; a collector that is away or busy is tried for two minutes, any other answer throws.
 */
export async function sendEvents(
  collector: Collector,
  events: readonly CloudEvent[],
  onSent: (count: number) => void = () => {},
): Promise<number> {
  for (let at = 0; at < events.length; at += BATCH) {
    const batch = events.slice(at, at + BATCH);
    const bySource = Map.groupBy(batch, ({ source }) => source);
    await Promise.all(
      [...bySource].map(([source, group]) =>
        post(
          collector,
          '/v1/events',
          collector.tokens[source] ?? '',
          'application/cloudevents-batch+json',
          group,
        ),
      ),
    );
    onSent(batch.length);
  }
  return events.length;
}

/** Sends spans to `POST /v1/traces`. Resolves with how many were taken; answers are dealt with as those to events. */
export async function sendTraces(
  collector: Collector,
  requests: readonly TracesRequest[],
  onSent: (count: number) => void = () => {},
): Promise<number> {
  let taken = 0;
  for (const request of requests) {
    const answer = await post(collector, '/v1/traces', collector.telemetryToken, 'application/json', request);
    const { partialSuccess } = answer as { partialSuccess?: { rejectedSpans?: string | number } };
    const count = countSpans([request]);
    taken += count - Number(partialSuccess?.rejectedSpans ?? 0);
    onSent(count);
  }
  return taken;
}

/**
 * Sends log records to `POST /v1/logs`. Resolves with how many were taken; answers are dealt with as those to events. A record has no
 * id: one that is sent again because its answer was lost is there twice.
 */
export async function sendLogs(
  collector: Collector,
  requests: readonly LogsRequest[],
  onSent: (count: number) => void = () => {},
): Promise<number> {
  let taken = 0;
  for (const request of requests) {
    const answer = await post(collector, '/v1/logs', collector.telemetryToken, 'application/json', request);
    const { partialSuccess } = answer as { partialSuccess?: { rejectedLogRecords?: string | number } };
    const count = countLogs([request]);
    taken += count - Number(partialSuccess?.rejectedLogRecords ?? 0);
    onSent(count);
  }
  return taken;
}

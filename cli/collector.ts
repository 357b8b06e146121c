import type { IncomingMessage, ServerResponse } from 'node:http';
import { createCloudEventsHandler } from '../collector/cloudevents/handler.ts';
import { letterJudge } from '../collector/cloudevents/letter.ts';
import type { CollectorConfig } from '../collector/config.ts';
import { createOtlpHandler, type OtlpCounts } from '../collector/otlp/handler.ts';
import { openTraces } from '../store/clickhouse/traces.ts';
import { COUNTERS, type CounterName, type Sample } from '../store/counters.ts';
import { createForwarder, type Forwarder } from '../store/forwarder.ts';
import { createLetterReplay, type LetterReplay } from '../store/letter-replay.ts';
import { openInbox } from '../store/postgres/inbox.ts';
import { openSigningSecrets } from '../store/postgres/signing-secrets.ts';
import { createIngestAuth } from '../store/postgres/tokens.ts';
import { type HttpServer, listen } from './http.ts';
import { sealerOf } from './secrets.ts';
import type { Stores } from './stores.ts';
import { tracedRoute } from './telemetry.ts';

export interface Collector {
  readonly http: HttpServer;
  readonly forwarder: Forwarder;
  /** Takes dead letters through again. */
  readonly letters: LetterReplay;
  /** What was taken, refused and lost since the start. */
  counters(): Sample[];
  /** Takes nothing more, and resolves when everything that was taken is stored. */
  close(): Promise<void>;
}

/** Starts the collector: OTLP/HTTP and CloudEvents on one port. */
export async function startCollector(stores: Stores, settings: CollectorConfig): Promise<Collector> {
  const { config, postgres, events, logger, counters } = stores;
  const { maxWaitingEvents, maxWaitingCharacters, keepPayloads, keepSettledLetters, ...lanes } =
    settings.inbox;
  const inbox = openInbox(postgres, {
    ...lanes,
    maxWaiting: { events: maxWaitingEvents, characters: maxWaitingCharacters },
  });
  const forwarder = createForwarder({
    postgres,
    inbox,
    events,
    logger,
    counters,
    retention: { payloadsMs: keepPayloads, settledLettersMs: keepSettledLetters },
  });
  const { authenticate } = createIngestAuth(postgres);
  const otlp = createOtlpHandler(settings.otlp, {
    traces: openTraces(stores.clickhouse),
    authenticate,
    logger,
  });
  const cloudEvents = createCloudEventsHandler(settings.cloudEvents, {
    postgres,
    inbox,
    authenticate,
    secrets: openSigningSecrets(postgres, sealerOf(config)),
    counters,
    logger,
  });
  const routes = new Map([
    ['/v1/traces', tracedRoute('/v1/traces', otlp)],
    ['/v1/logs', tracedRoute('/v1/logs', otlp)],
    ['/v1/metrics', tracedRoute('/v1/metrics', otlp)],
    ['/v1/events', tracedRoute('/v1/events', cloudEvents)],
    ['/healthz', alive],
  ]);
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [path = ''] = (request.url ?? '').split('?');
    const route = routes.get(path);
    if (route) return route(request, response);
    response
      .writeHead(404, { 'content-type': 'text/plain' })
      .end('served here: POST /v1/traces, POST /v1/events\n');
  };
  const http = await listen(handle, {
    host: config.bind,
    port: config.collectorPort,
    onError: (err) => logger.error({ err }, 'a request to the collector failed'),
  });
  return {
    http,
    forwarder,
    letters: createLetterReplay({ postgres, inbox, judge: letterJudge(), counters }),
    counters: () => [...counters.snapshot(), ...samplesOf(otlp.counts)],
    async close() {
      await http.close();
      await otlp.close();
      await inbox.drain();
      await forwarder.stop();
    },
  };
}

async function alive(_: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n');
}

function samplesOf(counts: OtlpCounts): Sample[] {
  const sample = (name: CounterName, value: number, labels = {}): Sample => ({
    name,
    help: COUNTERS[name].help,
    labels,
    value,
  });
  return [
    sample('closewatch_otlp_requests', counts.requests),
    ...Object.entries(counts.failed).map(([status, value]) =>
      sample('closewatch_otlp_requests_failed', value, { status }),
    ),
    sample('closewatch_otlp_bytes', counts.bytes),
    sample('closewatch_spans_stored', counts.spans),
    ...Object.entries(counts.spansRefused).map(([reason, value]) =>
      sample('closewatch_spans_refused', value, { reason }),
    ),
    sample('closewatch_spans_reversed', counts.spansReversed),
  ];
}

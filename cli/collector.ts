import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { createCloudEventsHandler } from '../collector/cloudevents/handler.ts';
import { letterJudge } from '../collector/cloudevents/letter.ts';
import type { CollectorConfig } from '../collector/config.ts';
import { type OdooWatch, openOdooWatch } from '../collector/odoo/watch.ts';
import { type OtlpGrpc, serveOtlpGrpc } from '../collector/otlp/grpc.ts';
import { createOtlpHandler } from '../collector/otlp/handler.ts';
import { createOtlpReceiver, type OtlpCounts } from '../collector/otlp/receiver.ts';
import type { Company } from '../model/company.ts';
import { errorCode } from '../model/errors.ts';
import { type MaskClass, type MaskCounts, Masking } from '../model/masking.ts';
import { openTelemetry } from '../store/clickhouse/telemetry.ts';
import { COUNTERS, type CounterName, type Sample } from '../store/counters.ts';
import { createForwarder, type Forwarder } from '../store/forwarder.ts';
import type { Intake } from '../store/intake/intake.ts';
import { createLetterReplay, type LetterReplay } from '../store/letter-replay.ts';
import { openInbox } from '../store/postgres/inbox.ts';
import { openSigningSecrets } from '../store/postgres/signing-secrets.ts';
import { createIngestAuth, type IngestAuth, type Sender } from '../store/postgres/tokens.ts';
import { applyTerms, markingInbox } from '../store/source-terms.ts';
import { type HttpServer, listen } from './http.ts';
import { sealerOf, secretOf } from './secrets.ts';
import type { Stores } from './stores.ts';
import { tracedRoute } from './telemetry.ts';

/** Hints of some weeks: a thousand in 100 kB. */
const MAX_SPOOL_BYTES = 64 << 20;

export interface Collector {
  readonly http: HttpServer;
  readonly grpcPort: number;
  readonly forwarder: Forwarder;
  /** Takes dead letters through again. */
  readonly letters: LetterReplay;
  /** The Odoos that are watched. */
  readonly odoo: OdooWatch;
  /** What was taken, refused and lost since the start. */
  counters(): Sample[];
  /** Bytes of requests that are not answered yet, by what they carry. */
  pendingBytes(): { readonly events: number; readonly otlp: number };
  /** Takes nothing more, and resolves when everything that was taken is stored. */
  close(): Promise<void>;
}

/**
 * Starts the collector: OTLP/HTTP, CloudEvents and Odoo's webhooks on one port, OTLP/gRPC on another, and the watch over the
 * Odoos that are connected. With `isScheduled` false nothing is read of them by itself.
 */
export async function startCollector(
  stores: Stores,
  settings: CollectorConfig,
  { companies, isScheduled }: { readonly companies: readonly Company[]; readonly isScheduled: boolean },
): Promise<Collector> {
  const { config, postgres, events, logger, counters, intake } = stores;
  const terms = settings.sources;
  await applyTerms(postgres, terms);
  intake.onNewStreams(async () => void (await applyTerms(postgres, terms)));
  const { maxWaitingEvents, maxWaitingCharacters, keepPayloads, keepSettledLetters, ...lanes } =
    settings.inbox;
  const plainInbox = openInbox(postgres, {
    ...lanes,
    maxWaiting: { events: maxWaitingEvents, characters: maxWaitingCharacters },
  });
  const inbox = markingInbox(plainInbox, terms);
  const forwarder = createForwarder({
    postgres,
    inbox,
    events,
    logger,
    counters,
    intake,
    retention: { payloadsMs: keepPayloads, settledLettersMs: keepSettledLetters },
  });
  const auth = createIngestAuth(postgres);
  const telemetry = openTelemetry(stores.clickhouse);
  const pseudonymKey = secretOf(config.dataDir, 'pseudonym-key').text;
  // Of events only what is secret, and what the settings name: rules compare the rest.
  const masking = new Masking(settings.privacy, pseudonymKey, { usual: false });
  const privacy = { ...settings.privacy, key: pseudonymKey };
  const receiver = createOtlpReceiver({ ...settings.otlp, privacy }, { telemetry, intake, logger });
  const otlp = createOtlpHandler(receiver, auth.authenticate);
  const cloudEvents = createCloudEventsHandler(settings.cloudEvents, {
    postgres,
    inbox,
    authenticate: accounted(auth, intake),
    secrets: openSigningSecrets(postgres, sealerOf(config)),
    counters,
    intake,
    logger,
    masking,
  });
  const odoo = await openOdooWatch({
    ...{ postgres, inbox, logger, counters, intake, companies, isScheduled },
    sealer: sealerOf(config),
    spoolFolder: join(config.dataDir, 'odoo-spool'),
    maxSpoolBytes: MAX_SPOOL_BYTES,
  });
  const webhook = tracedRoute('/odoo', odoo.handle);
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
    if (path.startsWith('/odoo/')) return webhook(request, response);
    response
      .writeHead(404, { 'content-type': 'text/plain' })
      .end(`served here: POST ${[...routes.keys()].filter((name) => name.startsWith('/v1/')).join(', ')}\n`);
  };
  const http = await listen(handle, {
    host: config.bind,
    port: config.collectorPort,
    onError: (err) => logger.error({ err }, 'a request to the collector failed'),
  });
  let grpc: OtlpGrpc;
  try {
    grpc = await serveOtlpGrpc(receiver, auth.authenticate, { host: config.bind, port: config.grpcPort });
  } catch (error) {
    await http.close(0);
    await odoo.close();
    await receiver.close();
    throw error;
  }
  return {
    http,
    grpcPort: grpc.port,
    forwarder,
    odoo,
    letters: createLetterReplay({ postgres, inbox, judge: letterJudge(undefined, masking), counters }),
    counters: () => [...counters.snapshot(), ...samplesOf(receiver.counts, masking.counts)],
    pendingBytes: () => ({ events: cloudEvents.pendingBytes(), otlp: receiver.pendingBytes() }),
    async close() {
      await Promise.all([http.close(), grpc.close()]);
      await odoo.close();
      await receiver.close();
      await inbox.drain();
      await forwarder.stop();
    },
  };
}

/** Who sends events; a request of nobody that is known is accounted for under `(unknown)`. */
const accounted =
  ({ authenticate }: IngestAuth, intake: Intake) =>
  async (request: IncomingMessage): Promise<Sender> => {
    try {
      return await authenticate(request);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'auth.missing' || code === 'auth.invalid')
        intake.lost({ source: '(unknown)', stream: '', reason: 'unauthenticated', records: 1, detail: code });
      throw error;
    }
  };

async function alive(_: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n');
}

function samplesOf(counts: OtlpCounts, ofEvents: MaskCounts): Sample[] {
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
    ...Object.entries(counts.stored).map(([signal, value]) =>
      sample('closewatch_otlp_records_stored', value, { signal }),
    ),
    sample('closewatch_spans_reversed', counts.spansReversed),
    ...Object.entries(counts.masked).map(([kind, value]) =>
      sample('closewatch_values_masked', value + ofEvents[kind as MaskClass], { class: kind }),
    ),
    ...Object.entries(counts.keys).map(([outcome, value]) =>
      sample('closewatch_span_keys', value, { outcome }),
    ),
  ];
}

import { setTimeout as sleep } from 'node:timers/promises';
import { DiagLogLevel, diag, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import packageJson from '../package.json' with { type: 'json' };
import type { Logger } from '../store/logger.ts';
import { untraced, withSpan } from '../store/tracing.ts';
import type { Config } from './config.ts';
import type { Handler } from './http.ts';

/** The spans of this process on their way out. */
export interface Telemetry {
  /** Sends what is there, for 5 seconds at most. */
  flush(): Promise<void>;
  /** Sends what is there, for 2 seconds at most, and ends. */
  stop(): Promise<void>;
}

/**
 * Requests with this header carry our own spans, so handling them makes none: else each export to our own collector
 * would be the next one's content, for ever. It grants nothing, so anybody may send it.
 */
const OWN = 'closewatch-own-telemetry';
const EXPORT_MS = 5_000;
const FLUSH_MS = 5_000;
const STOP_MS = 2_000;

/**
 * Starts to send our own spans over OTLP/HTTP (protobuf) when an endpoint is configured; else does nothing and does not
 * even load the SDK. The SDK reads its further settings from the environment: `OTEL_SERVICE_NAME` (else `closewatch`),
 * `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER`, `OTEL_SDK_DISABLED`.
 */
export async function startTelemetry(
  config: Pick<Config, 'otlpEndpoint' | 'otlpTracesEndpoint'>,
  logger: Logger,
): Promise<Telemetry> {
  const url = config.otlpTracesEndpoint ?? tracesUrl(config.otlpEndpoint);
  if (url === undefined) return { flush: async () => {}, stop: async () => {} };
  const [{ NodeSDK, resources, tracing }, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    import('@opentelemetry/exporter-trace-otlp-proto'),
  ]);
  const failed = (): void =>
    logger.warn({ part: 'telemetry' }, "Closewatch's own spans could not be sent; some are lost");
  const quiet = (): void => {};
  diag.setLogger(
    { error: failed, warn: quiet, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true },
  );
  const processor = new tracing.BatchSpanProcessor(
    new OTLPTraceExporter({ url, headers: { [OWN]: '1' }, timeoutMillis: EXPORT_MS }),
  );
  const sdk = new NodeSDK({
    resource: resources.resourceFromAttributes({
      'service.name': 'closewatch',
      'service.version': packageJson.version,
    }),
    // Not the process and the host: command lines hold what nobody should read.
    resourceDetectors: [resources.envDetector],
    spanProcessors: [processor],
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [],
  });
  sdk.start();
  return {
    flush: () => within(FLUSH_MS, processor.forceFlush(), failed),
    stop: () => within(STOP_MS, sdk.shutdown(), failed),
  };
}

function tracesUrl(endpoint: string | undefined): string | undefined {
  return endpoint === undefined ? undefined : `${endpoint.replace(/\/$/, '')}/v1/traces`;
}

async function within(ms: number, work: Promise<void>, failed: () => void): Promise<void> {
  const late = new AbortController();
  const deadline = sleep(ms, undefined, { signal: late.signal }).then(failed, () => {});
  await Promise.race([work.catch(failed), deadline]);
  late.abort();
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** The handler with a server span around each request, except for those that carry our own spans. */
export function tracedRoute(route: string, handler: Handler): Handler {
  return (request, response) => {
    if (request.headers[OWN] !== undefined) return untraced(() => handler(request, response));
    const method = METHODS.has(request.method ?? '') ? `${request.method}` : '_OTHER';
    const attributes = { 'http.request.method': method, 'http.route': route };
    return withSpan(
      `${method} ${route}`,
      attributes,
      async (span) => {
        await handler(request, response);
        const status = response.statusCode;
        span.setAttribute('http.response.status_code', status);
        if (status < 500) return;
        span.setAttribute('error.type', `${status}`);
        span.setStatus({ code: SpanStatusCode.ERROR });
      },
      SpanKind.SERVER,
    );
  };
}

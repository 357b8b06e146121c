/** Spans of the landscape, and the OTLP/JSON requests that carry them (opentelemetry-proto 1.x, JSON mapping: hex ids, 64-bit integers as text). */

export type Service = 'ocr' | 'middleware' | 'odoo' | 'tax-engine' | 'bank-gateway' | 'billing';

const KINDS = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;

export interface SimulatedSpan {
  readonly service: Service;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  readonly kind: keyof typeof KINDS;
  /** Epoch milliseconds. */
  readonly start: number;
  readonly durationMs: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** An error: the message of the status, and the exception that is recorded as a span event. */
  readonly error?: { readonly type: string; readonly message: string } | undefined;
}

type Value = { stringValue: string } | { intValue: string };
type Attribute = { key: string; value: Value };

interface WireSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: Attribute[];
  status?: { code: 2; message: string };
  events?: { timeUnixNano: string; name: string; attributes: Attribute[] }[];
}

/** One ExportTraceServiceRequest in OTLP/JSON. */
export interface TracesRequest {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: { scope: { name: string; version: string }; spans: WireSpan[] }[];
  }[];
}

export const attributesOf = (values: Readonly<Record<string, string | number>>): Attribute[] =>
  Object.entries(values).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  }));

export const nanos = (ms: number): string => (BigInt(ms) * 1_000_000n).toString();

/** What a service says of itself. */
export const resourceOf = (service: Service): Record<string, string> => ({
  'service.name': service,
  'service.version': '1.4.2',
  'deployment.environment.name': 'simulated',
});

function wire(span: SimulatedSpan): WireSpan {
  const end = span.start + span.durationMs;
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId ? { parentSpanId: span.parentSpanId } : {}),
    name: span.name,
    kind: KINDS[span.kind],
    startTimeUnixNano: nanos(span.start),
    endTimeUnixNano: nanos(end),
    attributes: attributesOf(span.attributes),
    ...(span.error
      ? {
          status: { code: 2, message: span.error.message },
          events: [
            {
              timeUnixNano: nanos(end),
              name: 'exception',
              attributes: attributesOf({
                'exception.type': span.error.type,
                'exception.message': span.error.message,
              }),
            },
          ],
        }
      : {}),
  };
}

/** The spans as export requests of at most `size` spans each, grouped by service as SDKs send them. */
export function tracesRequests(spans: readonly SimulatedSpan[], size = 500): TracesRequest[] {
  const requests: TracesRequest[] = [];
  for (let at = 0; at < spans.length; at += size) {
    const byService = Map.groupBy(spans.slice(at, at + size), (span) => span.service);
    requests.push({
      resourceSpans: [...byService].map(([service, group]) => ({
        resource: {
          attributes: attributesOf(resourceOf(service)),
        },
        scopeSpans: [{ scope: { name: `simulator.${service}`, version: '1' }, spans: group.map(wire) }],
      })),
    });
  }
  return requests;
}

/** How many spans the requests carry. */
export const countSpans = (requests: readonly TracesRequest[]): number =>
  requests
    .flatMap((request) => request.resourceSpans)
    .flatMap((resource) => resource.scopeSpans)
    .reduce((count, scope) => count + scope.spans.length, 0);

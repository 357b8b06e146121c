import { attributesOf, nanos, resourceOf, type Service, type SimulatedSpan } from './otlp.ts';

/** Log records of the landscape, and the OTLP/JSON requests that carry them. */

const SEVERITIES = { INFO: 9, WARN: 13, ERROR: 17 } as const;

export interface SimulatedLog {
  readonly service: Service;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly severity: keyof typeof SEVERITIES;
  readonly body: string;
  readonly attributes?: Readonly<Record<string, string | number>> | undefined;
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
}

interface WireLog {
  timeUnixNano: string;
  observedTimeUnixNano: string;
  severityNumber: number;
  severityText: string;
  body: { stringValue: string };
  attributes: ReturnType<typeof attributesOf>;
  traceId?: string;
  spanId?: string;
}

/** One ExportLogsServiceRequest in OTLP/JSON. */
export interface LogsRequest {
  resourceLogs: {
    resource: { attributes: ReturnType<typeof attributesOf> };
    scopeLogs: { scope: { name: string; version: string }; logRecords: WireLog[] }[];
  }[];
}

/**
 * What a service writes into its log about its own work: an error with its exception, where it took a call or a message a
 * line that it is done. What only happens inside it or elsewhere leaves none.
 */
export function logOfSpan(span: SimulatedSpan): SimulatedLog | undefined {
  const { service, name, kind, attributes, error, traceId, spanId } = span;
  const context = { service, at: span.start + span.durationMs, traceId, spanId };
  if (error)
    return {
      ...context,
      severity: 'ERROR',
      body: `${name} failed: ${error.message}`,
      attributes: { 'exception.type': error.type, 'exception.message': error.message },
    };
  if (kind !== 'server' && kind !== 'consumer') return undefined;
  const status = attributes['http.response.status_code'];
  return {
    ...context,
    severity: 'INFO',
    body: `${name}${status === undefined ? '' : ` ${status}`} in ${span.durationMs} ms`,
    attributes: {},
  };
}

const wire = ({ at, severity, body, attributes = {}, traceId, spanId }: SimulatedLog): WireLog => ({
  timeUnixNano: nanos(at),
  observedTimeUnixNano: nanos(at),
  severityNumber: SEVERITIES[severity],
  severityText: severity,
  body: { stringValue: body },
  attributes: attributesOf(attributes),
  ...(traceId && spanId ? { traceId, spanId } : {}),
});

/** The records as export requests of at most `size` records each, grouped by service as SDKs send them. */
export function logsRequests(logs: readonly SimulatedLog[], size = 500): LogsRequest[] {
  const requests: LogsRequest[] = [];
  for (let at = 0; at < logs.length; at += size) {
    const byService = Map.groupBy(logs.slice(at, at + size), ({ service }) => service);
    requests.push({
      resourceLogs: [...byService].map(([service, group]) => ({
        resource: { attributes: attributesOf(resourceOf(service)) },
        scopeLogs: [{ scope: { name: `simulator.${service}`, version: '1' }, logRecords: group.map(wire) }],
      })),
    });
  }
  return requests;
}

/** How many records the requests carry. */
export const countLogs = (requests: readonly LogsRequest[]): number =>
  requests
    .flatMap(({ resourceLogs }) => resourceLogs)
    .flatMap(({ scopeLogs }) => scopeLogs)
    .reduce((count, { logRecords }) => count + logRecords.length, 0);

/** Spans in a request of the benchmarks. */
export const SPANS = 500;

/** A request of 500 spans of 5 services: 12 attributes each, of which one is a correlation key; an event on every tenth. */
export function makeRequest(seed: number) {
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  const bytes = (size: number) => Buffer.from(Array.from({ length: size }, () => random(255) + 1));
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  const start = BigInt(Date.now() - 60_000) * 1_000_000n;
  const span = (service: number) => {
    const at = start + BigInt(random(1_000_000_000));
    return {
      traceId: bytes(16),
      spanId: bytes(8),
      parentSpanId: bytes(8),
      name: ['POST /bills', 'GET /tax', 'SELECT res_partner', 'publish bill.received'][random(4)],
      kind: random(5) + 1,
      startTimeUnixNano: String(at),
      endTimeUnixNano: String(at + BigInt(random(50_000_000))),
      attributes: [
        text('http.request.method', 'POST'),
        text('url.path', `/api/companies/${service}/bills/${random(10_000)}`),
        { key: 'http.response.status_code', value: { intValue: random(10) ? 200 : 503 } },
        text('server.address', `erp-${service}.internal.example`),
        { key: 'server.port', value: { intValue: 8069 } },
        text('network.protocol.version', '1.1'),
        text('user_agent.original', 'closewatch-bench/1.0 (linux; x64)'),
        text('closewatch.company', `company-${service}`),
        text('document.number', `BILL/2026/05/${random(10_000)}`),
        { key: 'amount', value: { doubleValue: random(1_000_000) / 100 } },
        { key: 'retry', value: { boolValue: random(20) === 0 } },
        text('thread.name', `worker-${random(16)}`),
      ],
      events: random(10)
        ? []
        : [
            {
              timeUnixNano: String(at),
              name: 'exception',
              attributes: [text('exception.type', 'TimeoutError')],
            },
          ],
      status: { code: random(20) ? 0 : 2 },
    };
  };
  const resourceSpans = Array.from({ length: 5 }, (_, service) => ({
    resource: {
      attributes: [
        text('service.name', `service-${service}`),
        text('service.version', '3.2.1'),
        text('host.name', `node-${service}`),
        text('deployment.environment.name', 'production'),
      ],
    },
    scopeSpans: [
      {
        scope: { name: 'bench', version: '1' },
        spans: Array.from({ length: SPANS / 5 }, () => span(service)),
      },
    ],
  }));
  return { resourceSpans };
}

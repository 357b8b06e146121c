import { describe, expect, test } from 'vitest';
import { encodeLogs, encodeMetrics, encodeRequest } from '../../test/otlp-proto.ts';
import { tablesSink } from '../../test/otlp-signals.ts';
import { decodeRequest, type Encoding } from './decode.ts';
import { SIGNALS, type Signal } from './decoder.ts';
import { decoderOf } from './decoders.ts';

const limits = { latest: 2n ** 63n - 1n, maxRowBytes: 1 << 28 };
const decode = (signal: Signal, encoding: Encoding, body: Buffer) => {
  const sink = tablesSink();
  const { accepted, refused } = decodeRequest(decoderOf(signal), signal, encoding, body, sink, limits);
  return { accepted, ...refused, tables: Object.keys(sink.tables()) };
};

const TRACE_ID = Buffer.alloc(16, 1);
const SPAN_ID = Buffer.alloc(8, 2);
const NAME_OF_16 = 'memory.usage.max';
const span = { traceId: TRACE_ID, spanId: SPAN_ID, startTimeUnixNano: 1, endTimeUnixNano: 2 };
const record = { timeUnixNano: 1, severityNumber: 9, body: { stringValue: 'a text' } };
const point = { timeUnixNano: 1, asInt: 1 };

/** Three records each, in the shape of OTLP/JSON. */
const REQUESTS: Record<Signal, { resource: object; records: number }> = {
  traces: {
    resource: { resourceSpans: [{ scopeSpans: [{ spans: [span, span] }, { spans: [span] }] }] },
    records: 3,
  },
  logs: {
    resource: {
      resourceLogs: [
        { scopeLogs: [{ logRecords: [record] }] },
        { scopeLogs: [{ logRecords: [record, record] }] },
      ],
    },
    records: 3,
  },
  metrics: {
    resource: {
      resourceMetrics: [
        {
          scopeMetrics: [
            {
              metrics: [
                { name: 'g', gauge: { dataPoints: [point, point] } },
                { name: 'h', histogram: { dataPoints: [{}] } },
              ],
            },
          ],
        },
      ],
    },
    records: 3,
  },
};
const jsonOf = (signal: Signal): string =>
  JSON.stringify(REQUESTS[signal].resource, (key, value) =>
    /Id$/.test(key) ? Buffer.from(value.data).toString('hex') : value,
  );

describe.each(SIGNALS)('JSON of %s', (signal) => {
  test('is taken on its own path', () => {
    expect(decode(signal, 'application/json', Buffer.from(jsonOf(signal)))).toMatchObject({
      accepted: 3,
      signal: 0,
    });
  });

  test.each(SIGNALS.filter((other) => other !== signal))(
    'is refused on the path of %s, record by record',
    (path) => {
      expect(decode(path, 'application/json', Buffer.from(jsonOf(signal)))).toEqual({
        accepted: 0,
        id: 0,
        time: 0,
        signal: 3,
        tables: [],
      });
    },
  );

  test.each(SIGNALS.filter((other) => other !== signal))('is refused beside %s, which are taken', (path) => {
    const both = `${jsonOf(path).slice(0, -1)},${jsonOf(signal).slice(1)}`;
    expect(decode(path, 'application/json', Buffer.from(both))).toMatchObject({ accepted: 3, signal: 3 });
  });
});

test.each([
  '1',
  '"text"',
  '[[[1]],{"scopeLogs":2},{"scopeLogs":[3,[4],{"logRecords":5}]}]',
  `${'['.repeat(400)}${']'.repeat(400)}`,
])('a foreign member that is no list of records is ignored: %s', (value) => {
  const body = Buffer.from(`{"resourceLogs":${value}}`);
  expect(decode('traces', 'application/json', body)).toMatchObject({ accepted: 0, signal: 0 });
});

test('a foreign member that is nested too deep is refused', () => {
  const body = Buffer.from(`{"resourceLogs":${'['.repeat(100_000)}`);
  expect(() => decode('traces', 'application/json', body)).toThrow('nested deeper');
});

describe('protobuf of another signal that can be read at all', () => {
  const gauge = (name: string, description = '') => ({ name, description, gauge: { dataPoints: [point] } });
  const metrics = (...all: object[]) =>
    encodeMetrics({ resourceMetrics: [{ scopeMetrics: [{ metrics: all }] }] });
  test.each<[string, Signal, Buffer, number]>([
    ['logs on the path of traces', 'traces', encodeLogs(REQUESTS.logs.resource), 3],
    ['spans without a name on the path of logs', 'logs', encodeRequest(REQUESTS.traces.resource), 3],
    ['spans without a name on the path of metrics', 'metrics', encodeRequest(REQUESTS.traces.resource), 3],
    [
      'logs without a body on the path of metrics',
      'metrics',
      encodeLogs({ resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano: 1 }] }] }] }),
      1,
    ],
    ['metrics on the path of logs', 'logs', encodeMetrics(REQUESTS.metrics.resource), 2],
    ['metrics on the path of traces', 'traces', encodeMetrics(REQUESTS.metrics.resource), 2],
    ['a gauge whose name is as long as a trace id', 'traces', metrics(gauge(NAME_OF_16)), 1],
    ['one whose description is as long as a span id', 'traces', metrics(gauge(NAME_OF_16, 'RAM used')), 1],
    [
      'a sum with a name as long as a trace id',
      'traces',
      metrics({ name: NAME_OF_16, description: 'RAM used', sum: { dataPoints: [point] } }),
      1,
    ],
  ])('%s', (_name, path, body, count) => {
    expect(decode(path, 'application/x-protobuf', body)).toEqual({
      accepted: 0,
      id: 0,
      time: 0,
      signal: count,
      tables: [],
    });
  });
});

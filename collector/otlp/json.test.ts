import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { errorCode } from '../../model/errors.ts';
import type { Row } from '../../test/native-block.ts';
import { SIGNAL_CASES, tables } from '../../test/otlp-signals.ts';
import type { Signal } from './decoder.ts';
import { protobufOfJson, translateJson } from './json.ts';

describe.each(SIGNAL_CASES)('$signal in JSON', ({ signal, request, encode, expected }) => {
  test('any request has the same rows in JSON as in protobuf', () => {
    fc.assert(
      fc.property(request, fc.boolean(), (one, upper) => {
        const body = protobufOfJson(Buffer.from(otlpJson(one, upper)), signal);
        expect(tables(signal, body)).toEqual(expected(encode(one)).tables);
      }),
      { numRuns: 80 },
    );
  });

  test('any JSON at all, and any text', () => {
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      request.map((one) => otlpJson(one, false).slice(0, -3)),
    );
    fc.assert(
      fc.property(body, (json) => {
        try {
          tables(signal, protobufOfJson(Buffer.from(json), signal));
        } catch (error) {
          expect(errorCode(error)).toBe('request.malformed');
        }
      }),
      { numRuns: 500 },
    );
  });
});

/** The rows of the one table that the request has rows of. */
function rows(signal: Signal, json: string): readonly Row[] | string {
  const read = tables(signal, protobufOfJson(Buffer.from(json), signal));
  return typeof read === 'string' ? read : (Object.values(read)[0] ?? []);
}
const inside = (fields: object | string): string =>
  typeof fields === 'string' ? fields : JSON.stringify(fields).slice(1, -1);

describe('a span in JSON', () => {
  const oneSpan = (fields: object | string) => {
    const ids = `"traceId":"${'0A'.repeat(16)}","spanId":"${'0B'.repeat(8)}"`;
    return rows('traces', `{"resourceSpans":[{"scopeSpans":[{"spans":[{${ids},${inside(fields)}}]}]}]}`);
  };

  test.each([
    [
      '64-bit integers as numbers, to the last digit',
      '"startTimeUnixNano":1700000000123456789',
      { Timestamp: 1700000000123456789n },
    ],
    [
      '64-bit integers as text',
      '"startTimeUnixNano":"1700000000123456789"',
      { Timestamp: 1700000000123456789n },
    ],
    ['upper-case ids', '"parentSpanId":"ABCDEF0123456789"', { ParentSpanId: 'abcdef0123456789' }],
    [
      'null as absent',
      '"name":null,"kind":null,"status":null,"attributes":null',
      { SpanName: '', SpanAttributes: [] },
    ],
    ['unknown fields', '"name":"a","tomorrow":{"x":[1]},"span_id":1', { SpanName: 'a' }],
    ['enums by number', '"kind":2,"status":{"code":2}', { SpanKind: 'Server', StatusCode: 'Error' }],
    [
      'enums by name',
      '"kind":"SPAN_KIND_CLIENT","status":{"code":"STATUS_CODE_OK"}',
      { SpanKind: 'Client', StatusCode: 'Ok' },
    ],
    [
      'doubles as text',
      '"attributes":[{"key":"k","value":{"doubleValue":"Infinity"}}]',
      { SpanAttributes: [['k', 'json: unsupported value: +Inf']] },
    ],
    [
      'whole numbers past 64 bits, which the JavaScript SDK writes as intValue, as doubles',
      '"attributes":[{"key":"a","value":{"intValue":1e+300}},{"key":"b","value":{"intValue":9223372036854775808}}]',
      {
        SpanAttributes: [
          ['a', '1e+300'],
          ['b', '9223372036854776000'],
        ],
      },
    ],
    [
      'a long number in a text',
      '"name":"[12345678901234567890,","startTimeUnixNano":1700000000123456789',
      { SpanName: '[12345678901234567890,', Timestamp: 1700000000123456789n },
    ],
  ])('%s', (_name, json, expected) => {
    expect(oneSpan(json)).toMatchObject([expected]);
  });

  test.each([
    [{ name: 1 }, 'name must be a text'],
    [{ kind: 'SERVERISH' }, 'kind must be the number of an enum'],
    [{ kind: 1.5 }, 'kind must be the number of an enum'],
    [{ startTimeUnixNano: '-1' }, 'startTimeUnixNano must be a whole number in its range'],
    [{ startTimeUnixNano: '18446744073709551616' }, 'startTimeUnixNano must be a whole number in its range'],
    [{ events: [{}, { timeUnixNano: 'soon' }] }, 'events[1].timeUnixNano must be'],
    [{ attributes: [{ key: 'k', value: { intValue: '1.5' } }] }, 'attributes[0].value.intValue must be'],
    [{ attributes: [{ key: 'k', value: { bytesValue: '*' } }] }, 'bytesValue must be base64'],
    [{ attributes: {} }, 'attributes must be an array'],
    [{ spanId: 7 }, 'spanId must be a text of hexadecimal digits'],
    [{ status: 2 }, 'status must be an object'],
  ])('%j is refused, saying where', (fields, message) => {
    expect(() => oneSpan(fields)).toThrow(message);
  });

  test('a value nested 10,000 deep is refused', () => {
    const open = '{"arrayValue":{"values":['.repeat(10_000);
    const close = ']}}'.repeat(10_000);
    expect(() => oneSpan(`"attributes":[{"key":"k","value":${open}${close}}]`)).toThrow('nested deeper');
  });
});

describe('a log record in JSON', () => {
  const oneRecord = (fields: object | string) =>
    rows('logs', `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{${inside(fields)}}]}]}]}`);

  test.each([
    [
      'times as numbers, to the last digit',
      '"timeUnixNano":1700000000123456789',
      { Timestamp: 1700000000123456789n },
    ],
    ['severities by number', '"severityNumber":17', { SeverityNumber: 17 }],
    ['severities by name', '"severityNumber":"SEVERITY_NUMBER_WARN2"', { SeverityNumber: 14 }],
    ['the highest severity by name', '"severityNumber":"SEVERITY_NUMBER_FATAL4"', { SeverityNumber: 24 }],
    ['flags', '"flags":257', { TraceFlags: 1 }],
    [
      'a body of several values',
      '"body":{"kvlistValue":{"values":[{"key":"b","value":{"intValue":1}},{"key":"a","value":{"stringValue":"<"}}]}}',
      { Body: '{"a":"\\u003c","b":1}' },
    ],
    ['empty ids as none', '"traceId":"","spanId":""', { TraceId: '', SpanId: '' }],
    [
      'null as absent',
      '"body":null,"flags":null,"observedTimeUnixNano":null',
      { Body: '', TraceFlags: 0, Timestamp: 0n },
    ],
  ])('%s', (_name, json, expected) => {
    expect(oneRecord(json)).toMatchObject([expected]);
  });

  test.each([
    [{ severityNumber: 'LOUD' }, 'logRecords[0].severityNumber must be the number of an enum'],
    [{ flags: -1 }, 'flags must be a whole number in its range'],
    [{ body: 'text' }, 'body must be an object'],
    [{ eventName: 1 }, 'eventName must be a text'],
  ])('%j is refused, saying where', (fields, message) => {
    expect(() => oneRecord(fields)).toThrow(message);
  });
});

describe('a metric in JSON', () => {
  const oneMetric = (fields: object | string) =>
    rows('metrics', `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{${inside(fields)}}]}]}]}`);

  test.each([
    [
      'temporality by name',
      '"sum":{"dataPoints":[{"asInt":"-7"}],"aggregationTemporality":"AGGREGATION_TEMPORALITY_CUMULATIVE","isMonotonic":true}',
      { Value: -7, AggregationTemporality: 2, IsMonotonic: 1 },
    ],
    ['NaN as text', '"gauge":{"dataPoints":[{"asDouble":"NaN"}]}', { Value: Number.NaN }],
    [
      'counts as text and as numbers, bounds without end',
      '"histogram":{"dataPoints":[{"count":"18446744073709551615","bucketCounts":["1",2],"explicitBounds":[0.5,"Infinity"]}]}',
      { Count: 2n ** 64n - 1n, BucketCounts: [1n, 2n], ExplicitBounds: [0.5, Number.POSITIVE_INFINITY] },
    ],
    [
      'offsets and scales below zero',
      '"exponentialHistogram":{"dataPoints":[{"scale":-2147483648,"positive":{"offset":-3,"bucketCounts":[300]}}]}',
      { Scale: -(2 ** 31), PositiveOffset: -3, PositiveBucketCounts: [300n], NegativeBucketCounts: [] },
    ],
    [
      'quantiles',
      '"summary":{"dataPoints":[{"quantileValues":[{"quantile":0.5,"value":2}]}]}',
      { 'ValueAtQuantiles.Quantile': [0.5], 'ValueAtQuantiles.Value': [2] },
    ],
    ['lists of nothing', '"histogram":{"dataPoints":[{"bucketCounts":[]}]}', { BucketCounts: [] }],
  ])('%s', (_name, json, expected) => {
    expect(oneMetric(json)).toMatchObject([expected]);
  });

  test.each([
    [{ gauge: { dataPoints: [{}, { asInt: 1.5 }] } }, 'gauge.dataPoints[1].asInt must be a whole number'],
    [
      { histogram: { dataPoints: [{ bucketCounts: [1, -1] }] } },
      'bucketCounts[1] must be a whole number in its range',
    ],
    [{ histogram: { dataPoints: [{ explicitBounds: 1 }] } }, 'explicitBounds must be an array'],
    [{ histogram: { dataPoints: [{ explicitBounds: [null] }] } }, 'explicitBounds[0] must be a number'],
    [{ sum: { isMonotonic: 1 } }, 'sum.isMonotonic must be true or false'],
    [
      { exponentialHistogram: { dataPoints: [{ scale: 2 ** 31 }] } },
      'scale must be a whole number in its range',
    ],
  ])('%j is refused, saying where', (fields, message) => {
    expect(() => oneMetric(fields)).toThrow(message);
  });

  test('a request is refused when it is much larger in protobuf', () => {
    const counts = `[${Array(40_000).fill('1').join()}]`;
    const json = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"bucketCounts":${counts}}]}}]}]}]}`;
    expect(translateJson(Buffer.from(json), 'metrics', 1 << 19).body.length).toBeGreaterThan(320_000);
    expect(() => translateJson(Buffer.from(json), 'metrics', 1 << 18)).toThrow('take too much memory');
  });
});

/** The request as OTLP/JSON. */
function otlpJson(one: object, upper: boolean): string {
  return JSON.stringify(one, (_key, value) => {
    if (value instanceof Uint8Array) {
      // Ids are hexadecimal; only bytesValue is base64, and it is not reached by this branch of the value's parent.
      const hex = Buffer.from(value).toString('hex');
      return upper ? hex.toUpperCase() : hex;
    }
    if (value !== null && typeof value === 'object' && 'bytesValue' in value)
      return { bytesValue: Buffer.from(value.bytesValue as Uint8Array).toString('base64') };
    // JSON has no number for these.
    if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)))
      return Object.is(value, -0) ? '-0' : String(value);
    return value;
  });
}

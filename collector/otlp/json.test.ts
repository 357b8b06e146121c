import type { Attributes, AttributeValue, SpanContext } from '@opentelemetry/api';
import { JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { errorCode } from '../../model/errors.ts';
import { expectedRows, id, request, rows, text } from '../../test/otlp-arbitrary.ts';
import { encodeRequest } from '../../test/otlp-proto.ts';
import { protobufOfJson } from './json.ts';

describe('JSON', () => {
  test('any request has the same rows in JSON as in protobuf', () => {
    fc.assert(
      fc.property(request, fc.boolean(), (one, upper) => {
        expect(rows(protobufOfJson(Buffer.from(otlpJson(one, upper))))).toEqual(
          expectedRows(encodeRequest(one)),
        );
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
          rows(protobufOfJson(Buffer.from(json)));
        } catch (error) {
          expect(errorCode(error)).toBe('request.malformed');
        }
      }),
      { numRuns: 500 },
    );
  });

  const oneSpan = (fields: object | string) => {
    const json = typeof fields === 'string' ? fields : JSON.stringify(fields).slice(1, -1);
    const ids = `"traceId":"${'0A'.repeat(16)}","spanId":"${'0B'.repeat(8)}"`;
    return protobufOfJson(Buffer.from(`{"resourceSpans":[{"scopeSpans":[{"spans":[{${ids},${json}}]}]}]}`));
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
    expect(rows(oneSpan(json))).toMatchObject([expected]);
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
    if (typeof value === 'object' && value !== null && typeof value.doubleValue === 'number')
      return {
        doubleValue:
          Number.isFinite(value.doubleValue) && !Object.is(value.doubleValue, -0)
            ? value.doubleValue
            : printed(value.doubleValue),
      };
    return value;
  });
}

const printed = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

describe("the SDK's own serializers", () => {
  const attributeValue: fc.Arbitrary<AttributeValue> = fc.oneof(
    text,
    fc.boolean(),
    fc.integer(),
    // The SDK's serializers disagree on whole numbers that are not safe integers.
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .filter((value) => Number.isSafeInteger(value) || !Number.isInteger(value)),
    fc.array(text, { maxLength: 3 }),
    fc.array(fc.integer(), { maxLength: 3 }),
  );
  const someAttributes: fc.Arbitrary<Attributes> = fc.dictionary(text, attributeValue, {
    maxKeys: 5,
    noNullPrototype: true,
  });
  const hexId = (size: number) => id(size).map((raw) => Buffer.from(raw).toString('hex'));
  const context: fc.Arbitrary<SpanContext> = fc.record({
    traceId: hexId(16),
    spanId: hexId(8),
    traceFlags: fc.constant(1),
  });
  const time = fc.tuple(fc.integer({ min: 0, max: 9_000_000_000 }), fc.integer({ min: 0, max: 999_999_999 }));
  const readable: fc.Arbitrary<ReadableSpan> = fc
    .record({
      name: text,
      kind: fc.integer({ min: 0, max: 4 }),
      own: context,
      parent: fc.option(context, { nil: undefined }),
      startTime: time,
      endTime: time,
      status: fc.record({ code: fc.integer({ min: 0, max: 2 }), message: text }),
      attributes: someAttributes,
      links: fc.array(fc.record({ context, attributes: someAttributes }), { maxLength: 2 }),
      events: fc.array(fc.record({ time, name: text, attributes: someAttributes }), { maxLength: 2 }),
      resource: someAttributes,
    })
    .map(({ own, parent, resource, ...fields }) => ({
      ...fields,
      spanContext: () => own,
      ...(parent === undefined ? {} : { parentSpanContext: parent }),
      duration: [0, 0],
      ended: true,
      resource: resourceFromAttributes(resource),
      instrumentationScope: { name: 'scope', version: '1' },
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    }));

  test('any spans: protobuf reads as protobufjs reads it, JSON as protobuf', () => {
    fc.assert(
      fc.property(fc.array(readable, { maxLength: 4 }), (spans) => {
        const body = Buffer.from(ProtobufTraceSerializer.serializeRequest(spans) as Uint8Array);
        const expected = expectedRows(body);
        expect(rows(body)).toEqual(expected);
        const json = Buffer.from(JsonTraceSerializer.serializeRequest(spans) as Uint8Array);
        expect(rows(protobufOfJson(json))).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});

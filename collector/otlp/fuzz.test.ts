import type { Attributes, AttributeValue, SpanContext } from '@opentelemetry/api';
import { JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { errorCode } from '../../model/errors.ts';
import { SpanBlock } from '../../store/clickhouse/span-block.ts';
import { type Row, readBlocks } from '../../test/native-block.ts';
import {
  decodeRequest,
  encodeRequest,
  hasIds,
  type OtlpRequest,
  rowsOf,
  TraceRequest,
} from '../../test/otlp-proto.ts';
import { protobufOfJson } from './json.ts';
import { TraceDecoder } from './traces.ts';
import { MalformedRequest } from './wire.ts';

const limits = { latest: 2n ** 63n - 1n, maxRowBytes: 1 << 30 };
const decoder = new TraceDecoder();
const discard = new SpanBlock();

/** The rows that the decoder makes of a body; of a malformed one the kind of malformation. */
function rows(body: Buffer): Row[] | string {
  const block = new SpanBlock();
  try {
    decoder.decode(body, { blockOf: () => block }, discard, limits);
  } catch (error) {
    if (error instanceof MalformedRequest) return error.kind;
    throw error;
  }
  return readBlocks(block.encode());
}

const text = fc.oneof(
  fc.constantFrom('service.name', 'a', 'b', '', '<&>"\\\u2028\n'),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ minLength: 60, maxLength: 200 }),
);
const nanos = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String);
const id = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
const maybeId = (size: number) =>
  fc.oneof(
    { weight: 8, arbitrary: id(size) },
    fc.constantFrom(new Uint8Array(size), new Uint8Array(0)),
    fc.uint8Array({ maxLength: 20 }),
  );
const { anyValue } = fc.letrec((tie) => ({
  anyValue: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ stringValue: text }),
    fc.record({ boolValue: fc.boolean() }),
    fc.record({ intValue: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) }),
    fc.record({ doubleValue: fc.double() }),
    fc.record({ bytesValue: fc.uint8Array({ maxLength: 9 }) }),
    fc.constant({}),
    fc.record({ arrayValue: fc.record({ values: fc.array(tie('anyValue'), { maxLength: 4 }) }) }),
    fc.record({
      kvlistValue: fc.record({
        values: fc.array(fc.record({ key: text, value: tie('anyValue') }), { maxLength: 4 }),
      }),
    }),
  ),
}));
const attributes = fc.oneof(
  fc.array(fc.record({ key: text, value: anyValue }), { maxLength: 6 }),
  fc.array(fc.record({ key: text, value: fc.record({ stringValue: text }) }), {
    minLength: 30,
    maxLength: 40,
  }),
);
const span = fc.record({
  traceId: maybeId(16),
  spanId: maybeId(8),
  parentSpanId: maybeId(8),
  traceState: text,
  name: text,
  kind: fc.integer({ min: -1, max: 7 }),
  startTimeUnixNano: nanos,
  endTimeUnixNano: nanos,
  attributes,
  droppedAttributesCount: fc.nat(),
  events: fc.array(fc.record({ timeUnixNano: nanos, name: text, attributes }), { maxLength: 3 }),
  links: fc.array(fc.record({ traceId: maybeId(16), spanId: maybeId(8), traceState: text, attributes }), {
    maxLength: 2,
  }),
  status: fc.option(fc.record({ message: text, code: fc.integer({ min: 0, max: 3 }) })),
  flags: fc.nat(),
});
const request = fc.record({
  resourceSpans: fc.array(
    fc.record({
      resource: fc.option(fc.record({ attributes })),
      scopeSpans: fc.array(
        fc.record({
          scope: fc.option(fc.record({ name: text, version: text, attributes })),
          spans: fc.array(span, { maxLength: 3 }),
          schemaUrl: text,
        }),
        { maxLength: 2 },
      ),
    }),
    { maxLength: 2 },
  ),
});

/** The rows that protobufjs reads, of spans with ids as they must be and times that a DateTime64 can hold. */
function expectedRows(body: Buffer): Row[] {
  const read = decodeRequest(body);
  for (const { scopeSpans } of read.resourceSpans)
    for (const scope of scopeSpans) scope.spans = scope.spans.filter((one) => hasIds(one) && inRange(one));
  return rowsOf(read);
}

const inRange = (one: OtlpRequest['resourceSpans'][0]['scopeSpans'][0]['spans'][0]): boolean =>
  [one.startTimeUnixNano, one.endTimeUnixNano, ...one.events.map((event) => event.timeUnixNano)].every(
    (time) => BigInt(time) < 2n ** 63n,
  );

describe('protobuf', () => {
  test('any request that protobufjs writes has the rows that protobufjs reads', () => {
    fc.assert(
      fc.property(request, (one) => {
        const body = encodeRequest(one);
        expect(rows(body)).toEqual(expectedRows(body));
      }),
      { numRuns: 100 },
    );
  });

  test('any cut, changed or inserted bytes: taken exactly when protobufjs takes them, and nothing else breaks', () => {
    const change = fc.record({ at: fc.nat(), drop: fc.nat(3), put: fc.uint8Array({ maxLength: 3 }) });
    fc.assert(
      fc.property(request, fc.array(change, { minLength: 1, maxLength: 2 }), (one, changes) => {
        let body = encodeRequest(one);
        for (const { at, drop, put } of changes) {
          const from = at % (body.length + 1);
          body = Buffer.concat([body.subarray(0, from), put, body.subarray(from + drop)]);
        }
        agree(body);
      }),
      { numRuns: 500 },
    );
  });

  test('any bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (raw) => agree(Buffer.from(raw))),
      { numRuns: 1000 },
    );
  });

  test('every cut of a request', () => {
    const body = encodeRequest(fc.sample(request, { numRuns: 1, seed: 4 })[0] as object);
    for (let end = 0; end < body.length; end++) agree(body.subarray(0, end));
  });

  test.each([
    ['a group', [0x0b, 0x0c], 'group'],
    ['a wire type that is none', [0x0e], 'group'],
    ['the field number 0', [0x02, 0x00], 'field-number'],
    ['a field number beyond 2^29', [0xfa, 0xff, 0xff, 0xff, 0x7f, 0x00], 'field-number'],
    ['a number of 11 bytes', [0x08, ...Array<number>(10).fill(0xff), 0x01], 'overlong'],
    ['a length past the end', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], 'truncated'],
  ])('%s is refused', (_name, raw, kind) => {
    expect(rows(Buffer.from(raw))).toBe(kind);
  });

  test('a value nested 100 messages deep is refused, 10,000 deep too', () => {
    const nested = (levels: number) => {
      let body = Buffer.alloc(0);
      const wrap = (tag: number) => {
        const size: number[] = [];
        for (let rest = body.length; ; rest >>>= 7) {
          size.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
          if (rest <= 0x7f) break;
        }
        body = Buffer.concat([Buffer.from([tag, ...size]), body]);
      };
      for (let level = 0; level < levels; level++) {
        wrap(0x0a); // ArrayValue.values
        wrap(0x2a); // AnyValue.array_value
      }
      wrap(0x12); // KeyValue.value
      for (const tag of [0x0a, 0x0a, 0x0a]) wrap(tag); // Resource.attributes, ResourceSpans.resource, the request's
      return body;
    };
    expect(rows(nested(40))).toEqual([]);
    expect(rows(nested(60))).toBe('too-deep');
    expect(rows(nested(10_000))).toBe('too-deep');
  });
});

/**
 * Ours and protobufjs take the same bytes. The differences: we refuse groups, field numbers out of range and numbers that
 * are too long, which protobufjs skips; text that is no UTF-8 we repair, which protobufjs refuses; a value sent twice in
 * one attribute is merged by protobufjs and the last one taken by us.
 */
function agree(body: Buffer): void {
  const ours = rows(body);
  let theirs: OtlpRequest | string;
  try {
    TraceRequest.decode(body);
    theirs = 'taken';
  } catch (error) {
    theirs = (error as Error).message;
  }
  if (theirs === 'taken') {
    if (typeof ours === 'string') expect(['group', 'field-number', 'overlong']).toContain(ours);
  } else if (typeof ours !== 'string') expect(theirs).toMatch(/utf-8/);
}

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

import fc from 'fast-check';
import type { Sink } from '../collector/otlp/decoder.ts';
import { TraceDecoder } from '../collector/otlp/traces.ts';
import { MalformedRequest } from '../collector/otlp/wire.ts';
import { SpanBlock } from '../store/clickhouse/span-block.ts';
import { type Row, readBlocks } from './native-block.ts';
import { decodeRequest, hasIds, type OtlpRequest, rowsOf } from './otlp-proto.ts';

const limits = { latest: 2n ** 63n - 1n, maxRowBytes: 1 << 30 };
const decoder = new TraceDecoder();

/** The rows that the decoder makes of a body; of a malformed one the kind of malformation. */
export function rows(body: Buffer): Row[] | string {
  const block = new SpanBlock();
  try {
    decoder.decode(body, { blockOf: (() => block) as Sink['blockOf'] }, limits);
  } catch (error) {
    if (error instanceof MalformedRequest) return error.kind;
    throw error;
  }
  return readBlocks(block.encode());
}
/** Texts that need care in keys, values and JSON. */
export const text = fc.oneof(
  fc.constantFrom('service.name', 'a', 'b', '', '<&>"\\\u2028\n'),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ minLength: 60, maxLength: 200 }),
);
const nanos = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String);
export const id = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
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
/** Any request; ids may be missing or of a wrong length. */
export const request = fc.record({
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
export function expectedRows(body: Buffer): Row[] {
  const read = decodeRequest(body);
  for (const { scopeSpans } of read.resourceSpans)
    for (const scope of scopeSpans) scope.spans = scope.spans.filter((one) => hasIds(one) && inRange(one));
  return rowsOf(read);
}

const inRange = (one: OtlpRequest['resourceSpans'][0]['scopeSpans'][0]['spans'][0]): boolean =>
  [one.startTimeUnixNano, one.endTimeUnixNano, ...one.events.map((event) => event.timeUnixNano)].every(
    (time) => BigInt(time) < 2n ** 63n,
  );

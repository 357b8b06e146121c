import fc from 'fast-check';
/** Texts that need care in keys, values and JSON. */
export const text = fc.oneof(
  fc.constantFrom('service.name', 'a', 'b', '', '<&>"\\\u2028\n'),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ minLength: 60, maxLength: 200 }),
);
export const nanos = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String);
export const id = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
/** Mostly an id; one that is missing, zero or of a wrong length too. */
export const maybeId = (size: number) =>
  fc.oneof(
    { weight: 8, arbitrary: id(size) },
    fc.constantFrom(new Uint8Array(size), new Uint8Array(0)),
    fc.uint8Array({ maxLength: 20 }),
  );
export const { anyValue } = fc.letrec((tie) => ({
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
export const attributes = fc.oneof(
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
/** Any scope; the traces have no room for its attributes. */
export const scope = fc.option(
  fc.record({ name: text, version: text, attributes, droppedAttributesCount: fc.nat() }),
);
export const resource = fc.option(fc.record({ attributes }));
/** Any request of traces; ids may be missing or of a wrong length. */
export const traces = fc.record({
  resourceSpans: fc.array(
    fc.record({
      resource,
      scopeSpans: fc.array(
        fc.record({
          scope,
          spans: fc.array(span, { maxLength: 3 }),
          schemaUrl: text,
        }),
        { maxLength: 2 },
      ),
      schemaUrl: text,
    }),
    { maxLength: 2 },
  ),
});

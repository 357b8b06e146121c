import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectedRows, request, rows } from '../../test/otlp-arbitrary.ts';
import { encodeRequest } from '../../test/otlp-proto.ts';

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

  test('any cut, changed or inserted bytes: taken exactly when protobufjs takes them, and with as many spans', () => {
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
      { numRuns: 250 },
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

  test('a value nested 100 messages deep is refused, 3,000 deep too', () => {
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
    expect(rows(nested(3000))).toBe('too-deep');
  });
});

/**
 * Ours and protobufjs take the same bytes. The differences: we refuse groups, field numbers out of range and numbers that
 * are too long, which protobufjs skips; text that is no UTF-8 we repair, which protobufjs refuses; a value sent twice in
 * one attribute is merged by protobufjs and the last one taken by us.
 */
function agree(body: Buffer): void {
  const ours = rows(body);
  let theirs: number | string;
  try {
    theirs = expectedRows(body).length;
  } catch (error) {
    theirs = (error as Error).message;
  }
  if (typeof ours !== 'string' && typeof theirs === 'number') expect(ours).toHaveLength(theirs);
  else if (typeof theirs === 'number') expect(['group', 'field-number', 'overlong']).toContain(ours);
  else if (typeof ours !== 'string') expect(theirs).toMatch(/utf-8/);
}

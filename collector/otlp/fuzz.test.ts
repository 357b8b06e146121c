import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CASES, decoded, type Read, SIGNAL_CASES, tables } from '../../test/otlp-signals.ts';
import type { Signal } from './decoder.ts';
import { MalformedRequest } from './wire.ts';

describe.each(SIGNAL_CASES)('$signal in protobuf', ({ signal, request, encode, expected }) => {
  test('any request that protobufjs writes has the rows that protobufjs reads', () => {
    fc.assert(
      fc.property(request, (one) => {
        const body = encode(one);
        expect(tables(signal, body)).toEqual(expected(body).tables);
      }),
      { numRuns: 100 },
    );
  });

  test('any cut, changed or inserted bytes: taken exactly when protobufjs takes them, and with as many records', () => {
    const change = fc.record({ at: fc.nat(), drop: fc.nat(3), put: fc.uint8Array({ maxLength: 3 }) });
    fc.assert(
      fc.property(request, fc.array(change, { minLength: 1, maxLength: 2 }), (one, changes) => {
        let body = encode(one);
        for (const { at, drop, put } of changes) {
          const from = at % (body.length + 1);
          body = Buffer.concat([body.subarray(0, from), put, body.subarray(from + drop)]);
        }
        agree(signal, body);
      }),
      { numRuns: 250 },
    );
  });

  test('any bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (raw) => agree(signal, Buffer.from(raw))),
      { numRuns: 1000 },
    );
  });

  test('every cut of a request', () => {
    const body = encode(fc.sample(request, { numRuns: 1, seed: 4 })[0] as object);
    for (let end = 0; end < body.length; end++) agree(signal, body.subarray(0, end));
  });

  test('any request of another signal: taken exactly when protobufjs takes it, and nothing of it kept', () => {
    const others = SIGNAL_CASES.filter((other) => other.signal !== signal);
    fc.assert(
      fc.property(fc.oneof(...others.map((other) => other.request.map((one) => other.encode(one)))), (body) =>
        agree(signal, body),
      ),
      { numRuns: 200 },
    );
  });

  test.each([
    ['a group', [0x0b, 0x0c], 'group'],
    ['a wire type that is none', [0x0e], 'group'],
    ['the field number 0', [0x02, 0x00], 'field-number'],
    ['a field number beyond 2^29', [0xfa, 0xff, 0xff, 0xff, 0x7f, 0x00], 'field-number'],
    ['a number of 11 bytes', [0x08, ...Array<number>(10).fill(0xff), 0x01], 'overlong'],
    ['a length past the end', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], 'truncated'],
  ])('%s is refused', (_name, raw, kind) => {
    expect(tables(signal, Buffer.from(raw))).toBe(kind);
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
    expect(tables(signal, nested(40))).toEqual({});
    expect(tables(signal, nested(60))).toBe('too-deep');
    expect(tables(signal, nested(3000))).toBe('too-deep');
  });
});

/**
 * Ours and protobufjs take the same bytes. The differences: we refuse groups, field numbers out of range and numbers that
 * are too long, which protobufjs skips; text that is no UTF-8 we repair, which protobufjs refuses; a value sent twice in
 * one attribute is merged by protobufjs and the last one taken by us.
 */
function agree(signal: Signal, body: Buffer): void {
  const ours = read(signal, body);
  let theirs: ReturnType<(typeof CASES)[Signal]['expected']> | string;
  try {
    theirs = CASES[signal].expected(body);
  } catch (error) {
    theirs = (error as Error).message;
  }
  if (typeof ours === 'string') {
    if (typeof theirs !== 'string') expect(['group', 'field-number', 'overlong']).toContain(ours);
  } else if (typeof theirs === 'string') expect(theirs).toMatch(/utf-8/);
  else {
    const { accepted, refused } = ours;
    const kept = Object.values(theirs.tables).reduce((sum, rows) => sum + rows.length, 0);
    // A metric of another signal is no data point.
    const foreign = signal === 'metrics' ? 0 : refused.signal;
    expect(accepted + refused.id + refused.time + foreign).toBe(theirs.records);
    expect(accepted).toBeLessThanOrEqual(kept);
    expect(accepted + refused.signal).toBeGreaterThanOrEqual(kept);
  }
}

function read(signal: Signal, body: Buffer): Read | string {
  try {
    return decoded(signal, body);
  } catch (error) {
    if (error instanceof MalformedRequest) return error.kind;
    throw error;
  }
}

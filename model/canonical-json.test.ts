import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalHash, canonicalJson } from './canonical-json.ts';
import { parseJson } from './json.ts';

describe('canonical JSON', () => {
  test('the examples of RFC 8785, 3.2', () => {
    const text = `{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
      "string":"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}`;
    expect(canonicalJson(JSON.parse(text))).toBe(
      `{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA'B\\"\\\\\\\\\\"/"}`,
    );
    const names = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 };
    expect(canonicalJson(names)).toBe(
      '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":3}',
    );
  });

  test('the order of members does not matter, the order of items does', () => {
    expect(canonicalJson({ b: 1, a: { d: 2, c: 3 } })).toBe(canonicalJson({ a: { c: 3, d: 2 }, b: 1 }));
    expect(canonicalJson([1, 2])).not.toBe(canonicalJson([2, 1]));
    expect(canonicalJson({ a: undefined, b: [undefined] })).toBe('{"b":[null]}');
  });

  // Without backslashes in names: V8 13.6 compares the escaped text of a name with the names of objects seen before, so that
  // once there was {"\\\"":1}, JSON.parse('{"\\"-":1}') gives the name \" in place of "-.
  const unit = fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter((one) => one !== '\\');

  test('whatever it prints reads back as the same value', () => {
    expect(canonicalJson(JSON.parse(canonicalJson({ a: '\\"\\', b: ['\\\\'] })))).toBe(
      '{"a":"\\\\\\"\\\\","b":["\\\\\\\\"]}',
    );
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: unit }), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe('numbers beyond a double', () => {
  test('keep every digit', () => {
    const text = '{"id":9007199254740993,"big":12345678901234567890.5,"far":1e400,"plain":1.50}';
    expect(JSON.stringify(parseJson(text))).toBe(
      '{"id":9007199254740993,"big":12345678901234567890.5,"far":1e400,"plain":1.5}',
    );
    expect(canonicalJson(parseJson('[9007199254740993]'))).not.toBe(
      canonicalJson(parseJson('[9007199254740992]')),
    );
  });

  test('what a double holds is a plain number', () => {
    expect(parseJson('[34.33634285099345, 1.10, 1e3, -0.0001, 100000000000000000000]')).toEqual([
      34.33634285099345, 1.1, 1000, -0.0001, 100000000000000000000,
    ]);
    expect(parseJson('{"text":"9007199254740993"}')).toEqual({ text: '9007199254740993' });
  });
});

test('the hash is that of the canonical text', () => {
  expect(canonicalHash({ a: 1, b: [1, 2] })).toBe(canonicalHash({ b: [1, 2], a: 1, c: undefined }));
  expect(canonicalHash({})).toBe('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
});

test.each([[Number.NaN], [1n], [() => 1]])('%s has no canonical form', (value) => {
  expect(() => canonicalJson(value)).toThrow(TypeError);
});

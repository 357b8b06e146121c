import fc from 'fast-check';
import { expect, test } from 'vitest';
import { errorCode } from '../../model/errors.ts';
import { JsonReader } from './json-reader.ts';

/** Whether `read` takes the text from its first character to its last one. */
function takes(text: string, read: (json: JsonReader) => void = (json) => json.skip()): boolean {
  try {
    const json = new JsonReader(text);
    read(json);
    json.end();
    return true;
  } catch (error) {
    expect(errorCode(error)).toBe('request.malformed');
    return false;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const piece = fc.constantFrom(
  ...'{}[]:,"\\ue0.-+1 \n\t\u0001',
  'null',
  'true',
  'fals',
  '\\u00',
  '"a":',
  '""',
);

test('text is taken exactly when JSON.parse takes it', () => {
  const changed = fc
    .tuple(fc.json({ maxDepth: 4 }), fc.nat(), fc.nat(2), fc.array(piece, { maxLength: 2 }))
    .map(([json, at, drop, put]) => {
      const from = at % (json.length + 1);
      return json.slice(0, from) + put.join('') + json.slice(from + drop);
    });
  const pieces = fc.array(piece, { maxLength: 8 }).map((all) => all.join(''));
  fc.assert(
    fc.property(fc.oneof(changed, pieces), (text) => {
      expect([text, takes(text)]).toEqual([text, isJson(text)]);
    }),
    { numRuns: 3000 },
  );
});

test('texts, numbers and words are what JSON.parse makes of them; long whole numbers are their digits', () => {
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
  );
  fc.assert(
    fc.property(value, fc.constantFrom('', ' ', '\r\n\t'), (one, space) => {
      const text = JSON.stringify(one);
      const read = new JsonReader(space + text + space).scalar();
      if (typeof read === 'string' && typeof one === 'number') expect(read).toBe(text);
      else expect(read).toEqual(JSON.parse(text));
    }),
    { numRuns: 1000 },
  );
  expect(new JsonReader('12345678901234567890').scalar()).toBe('12345678901234567890');
});

test('what nobody asks for is passed over: many names, not too many levels', () => {
  const names = Array.from({ length: 200_000 }, (_, i) => `"${i}":[{}]`);
  expect(takes(`{${names.join()}}`)).toBe(true);
  const nested = (levels: number) => takes('['.repeat(levels) + ']'.repeat(levels));
  expect([nested(400), nested(100_000)]).toEqual([true, false]);
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { joinKey, joinKeysOf, KEY_TYPES, parseKeyText, strengthOf } from './key.ts';
import { isStructuredReference } from './payment-reference.ts';

const room = { company: 'acme', source: '/odoo/prod' };
const join = (type: string, value: string, more: Partial<typeof room> = {}) =>
  joinKey({ type, value }, { ...room, ...more });

describe('what joins', () => {
  test.each([
    ['case and signs', 'docno', 'bill/2026/05/0012', 'BILL-2026.05_0012'],
    ['blanks, in it and around it', 'docno', '  BILL 2026/05/0012 ', 'BILL/2026/05/0012'],
    ['full width', 'docno', 'ＢＩＬＬ／００１２', 'BILL/0012'],
    ['leading zeros of digits alone', 'po', '000042', '42'],
    ['zeros alone', 'po', '000', '0'],
    ['a bill of a vendor', 'supref', 'S1007:RE-2041', 's1007:re 2041'],
    ['a line of an order', 'poline', 'P00042#3', 'p00042#3'],
    ['a creditor reference', 'payref', 'RF18 5390 0754 7034', 'rf18539007547034'],
    ['a UETR', 'uetr', 'EB6305C9-1F7F-49DE-AED0-16487C27B42D', 'eb6305c9-1f7f-49de-aed0-16487c27b42d'],
    ['a trace', 'trace', '5B8EFFF798038103D269B633813FC60C', '5b8efff798038103d269b633813fc60c'],
    ['a hash', 'filehash', 'ABCDEF', 'abcdef'],
  ])('%s', (_, type, one, other) => expect(join(type, one)).toBe(join(type, other)));
});

describe('what does not', () => {
  test.each([
    ['leading zeros behind letters', 'docno', 'BILL/0012', 'BILL/12'],
    ['other vendors', 'supref', 'S1007:RE-2041', 'S1008:RE-2041'],
    ['case of what a bank made', 'e2e', 'NOTPROVIDED-a', 'NOTPROVIDED-A'],
    ['case of an id', 'extid', 'account.move,7', 'Account.move,7'],
    ['signs of an id', 'psp', 'ch_1', 'ch1'],
    ['digits of another script', 'docno', 'A٤', 'A4'],
  ])('%s', (_, type, one, other) => expect(join(type, one)).not.toBe(join(type, other)));

  test('equal texts of other types', () => {
    const texts = Object.keys(KEY_TYPES).map((type) => join(type, '42'));
    expect(new Set(texts).size).toBe(texts.length);
  });

  test('other companies, of types that are unique in a company only; other sources likewise', () => {
    for (const [type, { scope }] of Object.entries(KEY_TYPES)) {
      const own = join(type, '42');
      expect(join(type, '42', { company: 'globex' }) === own, type).toBe(scope !== 'company');
      expect(join(type, '42', { source: '/odoo/test' }) === own, type).toBe(scope !== 'source');
    }
    expect(join('madeup', '42')).not.toBe(join('madeup', '42', { company: 'globex' }));
  });

  test('whatever the names of companies and values are', () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(text, text, text, text, (a, b, x, y) => {
        fc.pre(a !== b);
        expect(join('docno', x, { company: a })).not.toBe(join('docno', y, { company: b }));
      }),
    );
  });
});

test('a type that holds blanks alone still tells values apart', () => {
  expect(join('docno', '---')).not.toBe(join('docno', '///'));
});

test('the keys of an event: its subject, its keys, its trace and its correlation id, each once', () => {
  const event = {
    ...room,
    subject: 'account.move/42',
    traceId: '5B8EFFF798038103D269B633813FC60C',
    correlationId: 'run-7',
    keys: [
      { type: 'docno', value: 'BILL/7' },
      { type: 'docno', value: 'bill-7' },
    ],
  };
  expect(joinKeysOf(event)).toEqual([
    'subject:/odoo/prod:account.move/42',
    'docno:acme:BILL7',
    'trace:5b8efff798038103d269b633813fc60c',
    'correlation:acme:run-7',
  ]);
});

test.each([
  ['docno:acme:BILL/2026/05/0012', 'docno:acme:BILL2026050012'],
  ['trace:5B8EFFF798038103D269B633813FC60C', 'trace:5b8efff798038103d269b633813fc60c'],
  ['supref:acme:S1007:RE-2041', 'supref:acme:S1007:RE2041'],
])('%s is read back', (text, joined) => expect(parseKeyText(text)?.joined).toBe(joined));

describe('strength', () => {
  test.each([
    ['docno', 'BILL/7', 'exact'],
    ['supref', 'S1007:RE-2041', 'composite'],
    ['payref', 'RF18 5390 0754 7034', 'exact'],
    ['payref', '+++090/9337/55493+++', 'exact'],
    ['payref', 'RF19 5390 0754 7034', 'heuristic'],
    ['payref', 'invoice of May', 'heuristic'],
    ['approx', 'S1007|12480.00|2026-05', 'heuristic'],
  ])('%s %s: %s', (type, value, strength) => expect(strengthOf({ type, value })).toBe(strength));

  test('what the sender says counts', () => {
    expect(strengthOf({ type: 'docno', value: '7', strength: 'heuristic' })).toBe('heuristic');
  });
});

test.each([
  ['RF18539007547034', true],
  ['RF 45 G72U UR', true],
  ['RF44 G72U UR', false],
  ['090/9337/55493', true],
  ['090933755494', false],
  ['000000009797', true],
  ['', false],
])('%s checks itself: %s', (text, structured) => expect(isStructuredReference(text)).toBe(structured));

import { expect, test } from 'vitest';
import { isCard, isIban } from '../../model/account-numbers.ts';
import { evidenceMessage, loadPrompt } from './prompt.ts';
import { tripwire } from './tripwire.ts';

test.each([
  ['DE89370400440532013000'],
  ['GB29 NWBK 6016 1331 9268 19'],
  ['BE68539007547034'],
  ['NO9386011117947'],
  ['MT84MALT011000012345MTLCAST001S'],
])('%s is an IBAN', (iban) => {
  expect(isIban(iban)).toBe(true);
  expect(tripwire(`{"note":"pay to ${iban} today"}`)).toEqual(['iban']);
  expect(isIban(iban.replace(/\d$/, (digit) => String((Number(digit) + 1) % 10)).replace(/S$/, 'T'))).toBe(
    false,
  );
});

test.each([['4111 1111 1111 1111'], ['5500-0000-0000-0004'], ['378282246310005']])('%s is a card', (card) => {
  expect(isCard(card)).toBe(true);
  expect(tripwire(`card ${card}.`)).toEqual(['card']);
});

test.each([
  ['AB12 days after DE89 3704 0044 0532 0130 00 was told', 'iban'],
  ['de89370400440532013000', 'iban'],
  ['DE89-37040044-0532013000', 'iban'],
  ['2026 4111 1111 1111 1111', 'card'],
  ['card-3530111333300000', 'card'],
  ['6759649826438453', 'card'],
  ['DE136695976', 'vat'],
  ['de 136695976', 'vat'],
  ['ATU12345678', 'vat'],
  ['NL123456789B01', 'vat'],
  ['FR40303265045', 'vat'],
  ['CHE-123.456.789', 'vat'],
  ['jane.canary@example.org', 'e-mail'],
  ['jané@exämple.org', 'e-mail'],
  ['Authorization: Bearer abcdefghijklmnopqrstuvwxyz', 'secret'],
  ['sk-proj-abcdefghijklmnop1234', 'secret'],
  ['xoxb-123456789012-abcdefghijkl', 'secret'],
  ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc', 'secret'],
  ['token-eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc', 'secret'],
  ['-----BEGIN RSA PRIVATE KEY-----', 'secret'],
])('%s trips', (text, what) => {
  expect(tripwire(`a ${text} b`)).toContain(what);
});

test.each([
  'sk-invoice-import-service',
  '550e8400-e29b-41d4-a716-446655440000',
  'be124921-0f6d-7f1e-8000-000000000000',
  'document-be0123456789',
  'e89f370400440532013000aabbccddee',
  '4111111111111111aabbccddeeff0011',
  '{"amountEUR":"1234567890123.45"}',
  'status 503 504 500 429 400 502',
  'rules AP01 AP02 AP03 AP04 AP05 AP06',
])('%s does not trip', (text) => {
  expect(tripwire(`a ${text} b`)).toEqual([]);
});

test('no marker trips', () => {
  const { text } = loadPrompt();
  const tripped = Array.from({ length: 20_000 }, () => tripwire(evidenceMessage([]))).flat();
  expect([...tripped, ...tripwire(text)]).toEqual([]);
});

test.each([
  'a',
  'a@',
  'a.',
  'ab12',
  'ab12 ',
  '1',
  '1 ',
  '1234 5',
  'eyJ-',
  '.eyJaaaaaaaa',
  'Bearer ',
  'sk-',
  '-----BEGIN A',
  '+',
])('a text of nothing but %j costs no more than its length', (part) => {
  expect(tripwire(part.repeat(200_000 / part.length))).toBeDefined();
});

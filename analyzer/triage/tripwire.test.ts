import { expect, test } from 'vitest';
import { isCard, isIban, tripwire } from './tripwire.ts';

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
  ['jane.canary@example.org', 'e-mail'],
  ['Authorization: Bearer abcdefghijklmnopqrstuvwxyz', 'secret'],
  ['sk-proj-abcdefghijklmnop1234', 'secret'],
  ['xoxb-123456789012-abcdefghijkl', 'secret'],
  ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc', 'secret'],
])('%s trips', (text, what) => {
  expect(tripwire(`a ${text} b`)).toContain(what);
});

test('evidence as it is does not trip', () => {
  const text =
    '[{"facts":{"amountEUR":"1234567890123.45","document":"document-3f9c0a41be27","dueAt":"2026-05-04T08:00:00.123456789Z","rule":"MP-02","source":"/ocr/capture"},"number":1}]';
  expect(tripwire(text)).toEqual([]);
  expect(tripwire(`===== evidence ${'0123456789abcdef'.repeat(2)} =====`)).toEqual([]);
});

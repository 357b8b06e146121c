import { expect, test } from 'vitest';
import { maskedAccount, scrubbed } from './privacy.ts';
import { isCreditorReference, isStructuredCommunication, paymentReferences } from './references.ts';

test('references with check digits', () => {
  expect(isCreditorReference('RF18 5390 0754 7034')).toBe(true);
  expect(isCreditorReference('RF19539007547034')).toBe(false);
  expect(isStructuredCommunication('+++090/9337/55493+++')).toBe(true);
  expect(isStructuredCommunication('+++090/9337/55494+++')).toBe(false);
  // The rest is zero: the check digits are 97.
  expect(isStructuredCommunication('000000009797')).toBe(true);
});

test.each([
  [['210000000003139471430009017'], '', ['210000000003139471430009017 exact']],
  [[], 'paying RF18 5390 0754 7034 for May', ['RF18539007547034 exact']],
  [[], 'RF18 5390 0754 7034 +++090/9337/55493+++', ['090933755493 exact', 'RF18539007547034 exact']],
  [[], 'Invoice 2026/77', ['Invoice 2026/77 heuristic']],
  [[], '+++090/9337/55494+++', ['+++090/9337/55494+++ heuristic']],
  [[], 'thank you', []],
  [[], '7'.repeat(141), []],
])('%s %s', (structured, unstructured, expected) => {
  expect(
    paymentReferences(structured, unstructured).map(({ value, strength }) => `${value} ${strength}`),
  ).toEqual(expected);
});

test('accounts and names do not stay in texts', () => {
  expect(maskedAccount('DE89 3704 0044 0532 0130 00')).toBe('DE…3000');
  expect(maskedAccount('123456789')).toBe('…6789');
  expect(maskedAccount('1234')).toBe('…');
  expect(scrubbed('from DE89370400440532013000 A1', [])).toBe('from DE…3000 A1');
  expect(scrubbed('de89 3704 0044 0532 0130 00/GB29NWBK60161331926819', [])).toBe('DE…3000/GB…6819');
  // One digit is wrong: no account.
  expect(scrubbed('DE89370400440532013001', [])).toBe('DE89370400440532013001');
  expect(scrubbed('By jane  ROE (x)', ['Jane Roe', undefined, '(x)'])).toBe('By … …');
});

import { expect, test } from 'vitest';
import { formatInstant, parseInstant } from './time.ts';

test.each([
  [0n, '1970-01-01T00:00:00Z'],
  [1n, '1970-01-01T00:00:00.000000001Z'],
  [-1n, '1969-12-31T23:59:59.999999999Z'],
  [-1_000_000_000n, '1969-12-31T23:59:59Z'],
  [-1_500_000_000n, '1969-12-31T23:59:58.5Z'],
  [1_527_811_200_120_000_000n, '2018-06-01T00:00:00.12Z'],
  [9_223_372_036_854_775_807n, '2262-04-11T23:47:16.854775807Z'],
])('%s nanoseconds are %s, and back', (nanos, text) => {
  expect(formatInstant(nanos)).toBe(text);
  expect(parseInstant(text)).toBe(nanos);
});

import { expect, test } from 'vitest';
import { askedAgainAt } from './asking-again.ts';

const MINUTE = 60_000_000_000n;

test.each([
  [0, 5n],
  [1, 15n],
  [2, 60n],
])('what was asked %i times before is asked again after %i minutes', (asked, minutes) => {
  expect(askedAgainAt('timeout', asked, 7n)).toBe(7n + minutes * MINUTE);
});

test('after the fourth time it is let be', () => {
  expect(askedAgainAt('timeout', 3, 0n)).toBeUndefined();
});

test.each(['timeout', 'connection', 'rate-limited', 'server-error', 'breaker-open', 'busy'] as const)(
  '%s passes',
  (reason) => expect(askedAgainAt(reason, 0, 0n)).toBe(5n * MINUTE),
);

test.each([
  'tripwire',
  'refusal',
  'truncated',
  'malformed',
  'wrong-schema',
  'too-large',
  'unsupported',
  'request-refused',
  'superseded',
] as const)('%s does not pass', (reason) => {
  expect(askedAgainAt(reason, 0, 0n)).toBeUndefined();
});

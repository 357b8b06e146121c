import { expect, test } from 'vitest';
import { instantOf } from './fixture.ts';
import { instantOfPass, isAhead } from './positions.ts';

test.each([
  ['the first pass', undefined, '2', '2', false],
  ['the clock moves on', '1', '2', '2', false],
  ['a clock that is a little behind waits for the last pass', '2 00:01', '2', '2 00:01', false],
  ['one that is further behind shows that the last pass was ahead', '2 00:01:00.000000001', '2', '2', true],
] as const)('%s', (_, clock, asked, instant, ahead) => {
  const last = clock && instantOf(clock);
  expect(instantOfPass(last, instantOf(asked))).toBe(instantOf(instant));
  expect(isAhead(last, instantOf(asked))).toBe(ahead);
});

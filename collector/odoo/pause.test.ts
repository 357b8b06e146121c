import { expect, test } from 'vitest';
import { nextPause } from './pause.ts';

test('rounds come more seldom while calls take longer than half a second, up to five minutes, and then again as usual', () => {
  const [slow, quick] = [[{ ms: 700 }, { ms: 400 }], [{ ms: 100 }]];
  expect(nextPause(30_000, 30_000, slow)).toBe(60_000);
  expect(nextPause(200_000, 30_000, slow)).toBe(300_000);
  expect(nextPause(300_000, 30_000, quick)).toBe(150_000);
  expect(nextPause(40_000, 30_000, quick)).toBe(30_000);
  expect(nextPause(30_000, 30_000, [])).toBe(30_000);
});

import { expect, test } from 'vitest';
import { createPace } from './pace.ts';

function fakeClock() {
  let at = 0;
  return {
    now: () => at,
    pause: async (ms: number) => {
      at += ms;
    },
  };
}

test('calls for one channel are a second apart, other channels do not wait', async () => {
  const clock = fakeClock();
  const pace = createPace(1_000, clock);
  await pace.wait('C1');
  await pace.wait('C2');
  expect(clock.now()).toBe(0);
  await pace.wait('C1');
  expect(clock.now()).toBe(1_000);
});

test('a held channel stays still for as long as was asked', async () => {
  const clock = fakeClock();
  const pace = createPace(1_000, clock);
  await pace.wait('C1');
  pace.hold('C1', 60_000);
  expect(pace.stopped(30_000)).toBe(true);
  expect(pace.stopped(90_000)).toBe(false);
  await pace.wait('C1');
  expect(clock.now()).toBe(60_000);
});

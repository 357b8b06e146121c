import { expect, test } from 'vitest';
import { createPace } from './pace.ts';

function steady() {
  let at = 0;
  const pass = (ms: number): void => {
    at += ms;
  };
  return { pace: createPace(1_000, () => at), pass };
}

test('calls for one channel are a second apart, other channels do not wait', () => {
  const { pace, pass } = steady();
  expect(pace.first([])).toBeUndefined();
  expect(pace.first(['C1', 'C2'])).toEqual({ channel: 'C1', inMs: 0 });
  pace.called('C1');
  expect(pace.first(['C1', 'C2'])).toEqual({ channel: 'C2', inMs: 0 });
  pass(400);
  pace.called('C2');
  expect(pace.first(['C2', 'C1'])).toEqual({ channel: 'C1', inMs: 600 });
  pass(600);
  expect(pace.first(['C1'])).toEqual({ channel: 'C1', inMs: 0 });
});

test('a held channel stays still for as long as was asked, and another one goes before it', () => {
  const { pace, pass } = steady();
  pace.called('C1');
  pace.hold('C1', 60_000);
  pace.hold('C1', 10);
  pace.called('C2');
  expect(pace.first(['C1', 'C2'])).toEqual({ channel: 'C2', inMs: 1_000 });
  expect(pace.first(['C1'])).toEqual({ channel: 'C1', inMs: 60_000 });
  pass(60_000);
  expect(pace.first(['C1'])).toEqual({ channel: 'C1', inMs: 0 });
});

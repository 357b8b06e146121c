import { expect, test } from 'vitest';
import { createCounters } from './counters.ts';

test('counts by name and labels, whatever their order', () => {
  const counters = createCounters({ events: 'events that came' });
  counters.add('events', { source: 'a', reason: 'x' });
  counters.add('events', { reason: 'x', source: 'a' }, 4);
  counters.add('events', { reason: 'y', source: 'a' });
  expect(counters.snapshot()).toEqual([
    { name: 'events', help: 'events that came', labels: { reason: 'x', source: 'a' }, value: 5 },
    { name: 'events', help: 'events that came', labels: { reason: 'y', source: 'a' }, value: 1 },
  ]);
});

test('the number of series is bounded', () => {
  const counters = createCounters();
  for (let i = 0; i < 1500; i++) counters.add('events', { source: `${i}` });
  const samples = counters.snapshot();
  expect(samples).toHaveLength(1001);
  expect(samples.find((sample) => sample.labels.source === 'other')?.value).toBe(500);
});

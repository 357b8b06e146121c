import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { COUNTERS, createCounters } from './counters.ts';
import { GAUGES } from './gauges.ts';

test('counts by name and labels, whatever their order', () => {
  const counters = createCounters();
  counters.add('closewatch_events_refused', { source: 'a', reason: 'x' });
  counters.add('closewatch_events_refused', { reason: 'x', source: 'a' }, 4);
  counters.add('closewatch_events_refused', { reason: 'y', source: 'a' });
  counters.add('closewatch_events_forwarded', {}, 2);
  const { help } = COUNTERS.closewatch_events_refused;
  const name = 'closewatch_events_refused';
  expect(counters.snapshot()).toEqual([
    expect.objectContaining({ name: 'closewatch_events_forwarded', labels: {}, value: 2 }),
    { name, help, labels: { reason: 'x', source: 'a' }, value: 5 },
    { name, help, labels: { reason: 'y', source: 'a' }, value: 1 },
  ]);
});

test('the number of series of a name is bounded', () => {
  const counters = createCounters();
  for (let i = 0; i < 1500; i++) counters.add('closewatch_events_known', { source: `${i}` });
  counters.add('closewatch_events_accepted', { source: 'a' });
  const samples = counters.snapshot().filter(({ name }) => name === 'closewatch_events_known');
  expect(samples).toHaveLength(1001);
  expect(samples.find((sample) => sample.labels.source === 'other')?.value).toBe(500);
});

test('docs/operations.md lists every counter and gauge with its labels and what it counts', () => {
  const page = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `(closewatch_\w+)` \| (.*) \| (.*) \|$/gm)].map(
    ([, name, labels = '', help]) => ({ name, labels: labels.match(/\w+/g) ?? [], help }),
  );
  expect(documented).toEqual(
    Object.entries({ ...COUNTERS, ...GAUGES }).map(([name, { help, labels }]) => ({
      name,
      labels: [...labels],
      help,
    })),
  );
});

import { expect, test } from 'vitest';
import { prometheusText } from './metrics.ts';

test('writes help, type and samples, and escapes what must be escaped', () => {
  const text = prometheusText([
    { name: 'a_total', help: 'Two\nlines', labels: {}, value: 3 },
    { name: 'b_total', help: 'b', labels: { source: 'x"y\\z' }, value: 5 },
    { name: 'b_total', help: 'b', labels: { source: 'w' }, value: 6 },
    { name: 'c_seconds', type: 'gauge', help: 'c', labels: {}, value: 0.5 },
  ]);
  expect(text.split('\n')).toEqual([
    '# HELP a_total Two\\nlines',
    '# TYPE a_total counter',
    'a_total 3',
    '# HELP b_total b',
    '# TYPE b_total counter',
    'b_total{source="x\\"y\\\\z"} 5',
    'b_total{source="w"} 6',
    '# HELP c_seconds c',
    '# TYPE c_seconds gauge',
    'c_seconds 0.5',
    '',
  ]);
});

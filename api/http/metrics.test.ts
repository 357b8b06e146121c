import { expect, test } from 'vitest';
import { prometheusText } from './metrics.ts';

test('writes help, type and samples, and escapes what must be escaped', () => {
  const text = prometheusText([
    { name: 'a_total', help: 'Two\nlines', type: 'counter', samples: [{ value: 3 }] },
    { name: 'b', help: 'b', type: 'gauge', samples: [{ labels: { source: 'x"y\\z' }, value: 0.5 }] },
  ]);
  expect(text).toBe(
    '# HELP a_total Two\\nlines\n# TYPE a_total counter\na_total 3\n# HELP b b\n# TYPE b gauge\nb{source="x\\"y\\\\z"} 0.5\n',
  );
});

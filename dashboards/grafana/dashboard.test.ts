import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { closewatchDashboard, printedDashboard } from './dashboard.ts';
import { QUERIES } from './queries.ts';

test('closewatch.json is the dashboard (rewrite it with: node dashboards/grafana/print.ts)', () => {
  const committed = readFileSync(join(import.meta.dirname, 'closewatch.json'), 'utf8');
  expect(JSON.parse(committed)).toEqual(JSON.parse(printedDashboard()));
});

test('every query stands on one panel', () => {
  const panels = closewatchDashboard().panels as { targets?: { rawSql?: string }[] }[];
  const shown = panels.map((panel) => panel.targets?.[0]?.rawSql);
  expect(shown.toSorted()).toEqual(
    Object.values(QUERIES)
      .map(({ sql }) => sql)
      .toSorted(),
  );
});

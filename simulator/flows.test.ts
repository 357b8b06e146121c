import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { backtest } from '../analyzer/backtest/backtest.ts';
import { loadFlows } from '../analyzer/detect/flow-files.ts';
import { parseInstant } from '../model/time.ts';
import { simulate } from './simulate.ts';
import { storedEvents, streamsOf } from './stored.ts';

const FLOWS = resolve(import.meta.dirname, '..', 'flows');
const NOW = Date.parse('2026-06-17T11:30:00Z');
const nanos = (time: string): bigint => parseInstant(time) ?? 0n;

test('every planted rule is a rule of the flows that come with Closewatch', async () => {
  const rules = new Set(
    (await loadFlows(FLOWS)).flatMap(({ expectations }) => expectations).map(({ id }) => id),
  );
  for (const { rule } of simulate({ seed: 1, now: NOW }).truth) expect(rules).toContain(rule);
});

test.each([
  [1, '2026-06-17T11:30:00Z'],
  [2, '2026-11-22T22:10:00Z'],
  [3, '2027-01-04T03:00:00Z'],
])(
  'the flows that come with Closewatch find the planted faults and nothing else (seed %i)',
  async (seed, text) => {
    const now = Date.parse(text);
    const { companies, events, truth, late: answered } = simulate({ seed, now });
    const facts = storedEvents(events);
    const flows = await loadFlows(FLOWS);
    const at = nanos(new Date(now).toISOString());
    const sources = streamsOf(
      facts,
      companies.map(({ key }) => key),
      at,
    );
    async function* scan() {
      yield* facts;
    }
    const result = await backtest({ flows, companies, asOf: at }, { events: { scan }, sources, now: at });
    const open = result.exceptions.filter(({ state }) => state !== 'late');
    expect(open.map(({ rule, subject }) => `${rule} ${subject}`).sort()).toEqual(
      truth.map(({ rule, subject }) => `${rule} ${subject}`).sort(),
    );
    const late = result.exceptions.filter(({ state }) => state === 'late');
    expect(late.map(({ rule, subject }) => `${rule} ${subject}`).sort()).toEqual(
      answered.map(({ rule, subject }) => `${rule} ${subject}`).sort(),
    );
  },
);

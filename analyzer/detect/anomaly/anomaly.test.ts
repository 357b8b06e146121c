import { expect, test } from 'vitest';
import { defaultCompany } from '../../../model/company.ts';
import type { CaseEvent } from '../case-event.ts';
import { contextAt, eventsOf, instantOf, ruleOf } from '../fixture.ts';
import { anomaly } from './anomaly.ts';
import { dayTypeOf } from './day-types.ts';

/** Numbers from a fixed seed (mulberry32). */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const DAY = 86_400_000_000_000n;
const START = instantOf('2026-01-05T00:00:00Z');
const company = defaultCompany('acme');

/** A count with the mean and the dispersion k = 8: a Poisson count of a gamma rate, as sums of exponentials. */
function countOf(mean: number, random: () => number): number {
  let gamma = 0;
  for (let i = 0; i < 8; i += 1) gamma -= Math.log(1 - random());
  const rate = (gamma / 8) * mean;
  const least = Math.exp(-rate);
  let [count, product] = [0, random()];
  while (product > least) {
    count += 1;
    product *= random();
  }
  return count;
}

/** Events of a number of days, working days `mean`, weekends a tenth, the turn of the month twice as many; `change` bends some days. */
function traffic(
  days: number,
  mean: number,
  seed: number,
  change: (day: number, count: number) => number,
): CaseEvent[] {
  const random = numbersFrom(seed);
  const events: CaseEvent[] = [];
  for (let day = 0; day < days; day += 1) {
    const type = dayTypeOf(Number(START / DAY) + day, company);
    const usual = mean * (type.isWorked ? 1 : 0.1) * (type.isTurn && type.isWorked ? 2 : 1);
    const count = change(day, countOf(usual, random));
    for (let i = 0; i < count; i += 1)
      events.push({
        ...(eventsOf([`A@${5}`])[0] as CaseEvent),
        id: `${day}-${i}`,
        subject: `s-${day}-${i}`,
        at: START + BigInt(day) * DAY + (BigInt(i + 1) * DAY) / BigInt(count + 2),
      });
  }
  return events;
}

const COUNT = ruleOf({
  kind: 'anomaly',
  group: [],
  when: { types: ['x.a'] },
  measure: 'count',
  false: 0.001,
});
const asOf = (days: number) =>
  contextAt(new Date(Number((START + BigInt(days) * DAY) / 1_000_000n)).toISOString());
const openDays = (events: CaseEvent[], days: number): string[] =>
  anomaly(COUNT as never, events, asOf(days))
    .filter(({ occurrence }) => occurrence !== 'next')
    .map(({ occurrence }) => occurrence);

test('days without a fault are seldom unusual', () => {
  const found = Array.from({ length: 20 }, (_, seed) =>
    openDays(
      traffic(180, 40, seed + 1, (_, n) => n),
      180,
    ),
  ).flat();
  // 20 series of 160 judged days: 3,200 days, of which 0.1 % may be called unusual, and slow sums now and then.
  expect(found.length).toBeLessThanOrEqual(12);
});

test('a day on which nothing comes is found, also when it is the last', () => {
  const silent = 156; // a Wednesday
  const found = Array.from({ length: 20 }, (_, seed) =>
    openDays(
      traffic(158, 60, seed + 1, (day, n) => (day >= silent ? 0 : n)),
      158,
    ),
  );
  const date = new Date(Number((START + BigInt(silent) * DAY) / 1_000_000n)).toISOString().slice(0, 10);
  expect(found.filter((days) => days.includes(date)).length).toBeGreaterThanOrEqual(19);
});

test('a slow shortfall is found by its sum', () => {
  const found = Array.from({ length: 20 }, (_, seed) =>
    openDays(
      traffic(160, 60, seed + 1, (day, n) => (day >= 130 ? Math.round(n * 0.55) : n)),
      160,
    ),
  );
  expect(found.filter((days) => days.some((day) => day >= '2026-05-15')).length).toBeGreaterThanOrEqual(18);
});

test('of a completeness ten that nobody followed are found among a hundred', () => {
  const rule = ruleOf({
    kind: 'anomaly',
    group: [],
    when: { types: ['x.b'] },
    from: { types: ['x.a'] },
    measure: 'completeness',
    within: '1h',
    least: 10,
  });
  const events: CaseEvent[] = [];
  for (let day = 0; day < 30; day += 1)
    for (let i = 0; i < 100; i += 1) {
      const at = START + BigInt(day) * DAY + BigInt(i) * 600_000_000_000n;
      const base = { ...(eventsOf(['A@5'])[0] as CaseEvent), subject: `s-${day}-${i}` };
      events.push({ ...base, id: `a-${day}-${i}`, at });
      const isLost = day === 25 ? i < 10 : i === 50 && day % 5 === 0;
      if (!isLost) events.push({ ...base, id: `b-${day}-${i}`, type: 'x.b', at: at + 60_000_000_000n });
    }
  const found = anomaly(rule as never, events, asOf(30)).filter(({ occurrence }) => occurrence !== 'next');
  expect(found.map(({ occurrence, state }) => [occurrence, state])).toEqual([['2026-01-30', 'late']]);
  expect(found[0]?.why).toMatch(/followed 90 of the 100 of 2026-01-30: 99\.\d % is usual/);
});

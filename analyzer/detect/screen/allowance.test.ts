import { expect, test } from 'vitest';
import { company } from '../../../model/company.ts';
import { parseInstant } from '../../../model/time.ts';
import type { Timing } from '../../../model/timing.ts';
import { createRandom } from '../../../simulator/random.ts';
import { dueOf } from '../deadline.ts';
import { allowanceTable, allowedAlways } from './allowance.ts';

const HOUR = 3_600_000_000_000n;
const QUARTER = HOUR / 4n;
const from = parseInstant('2026-03-20T00:00:00Z') as bigint;
const to = parseInstant('2026-06-10T00:00:00Z') as bigint;

const COMPANIES = [
  { key: 'a', timezone: 'Europe/Brussels', calendar: { holidays: ['2026-04-06', '2026-05-14'] } },
  { key: 'b', timezone: 'Asia/Kathmandu', calendar: { hours: { from: '09:20', to: '17:50' } } },
  { key: 'c', timezone: 'America/Los_Angeles', calendar: { workdays: [1, 2, 3, 4] } },
].map((one) => company.parse(one));

const TIMINGS: readonly Timing[] = [
  { within: '2bd' },
  { within: '6bh' },
  { within: '36h', grace: '1bd' },
  { within: '3bd', closing: '1bd', cutoff: '16:50' },
  { within: '10bd', until: 'WD1' },
  { until: 'WD-2' },
];

test('nothing is due before what it is surely allowed', () => {
  const random = createRandom(3);
  for (const timing of TIMINGS) {
    const places = COMPANIES.map((one) => ({ company: one, timing }));
    const table = allowanceTable(places, { from, to });
    expect(table.quarters).toHaveLength(table.hours * places.length);
    // It allows something, so that answers can be in time.
    expect(Math.max(...table.quarters), JSON.stringify(timing)).toBeGreaterThan(8);
    for (let i = 0; i < 2_000; i += 1) {
      const at = from + BigInt(random.int(0, Number((to - from) / 1_000_000_000n))) * 1_000_000_000n;
      for (const [index, own] of COMPANIES.entries()) {
        const hour = Number(at / HOUR) - table.firstHour;
        const quarters = table.quarters[index * table.hours + hour] as number;
        const event = {
          type: '',
          company: '',
          source: '',
          subject: '',
          keys: [],
          attributes: {},
          data: {},
          at,
        };
        const due = dueOf(timing, event, own) as bigint;
        // Exactly at the deadline is in time.
        if (quarters > 0)
          expect(at + BigInt(quarters) * QUARTER <= due, `${JSON.stringify(timing)} ${at}`).toBe(true);
      }
    }
  }
});

test('what is elapsed time is allowed everywhere; what a calendar or a date decides is not', () => {
  expect(allowedAlways({ within: '90m' })).toBe(90n * 60_000_000_000n);
  expect(allowedAlways({ within: '1h', grace: '30m' })).toBe(90n * 60_000_000_000n);
  for (const timing of [
    { within: '2bd' },
    { within: '1h', grace: '1bd' },
    { within: '1d', cutoff: '16:00' },
    { until: 'WD1' },
  ])
    expect(allowedAlways(timing)).toBeUndefined();
});

import type { Company } from '../model/company.ts';
import { workdays } from './calendar.ts';
import { defaultCompanies } from './companies.ts';
import { type CloudEvent, heartbeats } from './events.ts';
import { type Failure, plantFailures } from './failures.ts';
import { type Planted, plantFaults } from './faults.ts';
import { createLandscape } from './landscape.ts';
import { type LogsRequest, logsRequests } from './logs.ts';
import { type TracesRequest, tracesRequests } from './otlp.ts';
import { createRandom } from './random.ts';
import { usualDay } from './usual.ts';

const DAY = 86_400_000;
/** Faults need this much past to have come due, in days; a shorter span is stretched. */
export const LEAST_DAYS = 25;

export interface Simulation {
  readonly companies: Company[];
  /** In order of time; the last ones are heartbeats: every source has sent everything up to `now`. */
  readonly events: CloudEvent[];
  readonly traces: TracesRequest[];
  readonly logs: LogsRequest[];
  /** What is open at the end. */
  readonly truth: Planted[];
  /** What was answered, but late. */
  readonly late: Planted[];
  /** Every failure that was spread over the past, and what must be said of it. */
  readonly failures: Failure[];
}

/**
 * What happened in the landscape in the `days` up to `now` (epoch ms): events, spans and log records as they go over the wire, and the
 * faults that are hidden in them. Pure: equal arguments give equal results.
 */
export function simulate(options: {
  seed: number;
  now: number;
  days?: number;
  /** How often every failure of `FAILURES` is planted in each company, spread over the past; left out: never. */
  plantedEach?: number;
  companies?: Company[];
}): Simulation {
  const { seed, now, days = 30, plantedEach = 0, companies = defaultCompanies(now) } = options;
  const land = createLandscape(createRandom(seed), { until: now });
  const from = now - Math.max(days, LEAST_DAYS) * DAY;
  for (const company of companies) {
    for (const day of workdays(company, from, now)) usualDay(land, company, day, companies);
  }
  const { truth, late } = plantFaults(land, companies, now);
  const failures =
    plantedEach > 0
      ? plantFailures(land, companies, {
          now,
          workdays: Math.min(...companies.map((company) => workdays(company, from, now).length)),
          each: plantedEach,
        })
      : [];
  const { events, spans, logs } = land.take();
  return {
    companies,
    events: [...events, ...companies.flatMap((company) => heartbeats(company, now))],
    traces: tracesRequests(spans),
    logs: logsRequests(logs),
    truth,
    late,
    failures,
  };
}

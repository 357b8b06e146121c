import type { Company } from '../model/company.ts';
import { workdays } from './calendar.ts';
import { type CloudEvent, heartbeats } from './events.ts';
import type { Planted } from './faults.ts';
import { createLandscape } from './landscape.ts';
import { type LogsRequest, logsRequests } from './logs.ts';
import { type TracesRequest, tracesRequests } from './otlp.ts';
import { createRandom } from './random.ts';
import { usualDay } from './usual.ts';

const DAY = 86_400_000;
/** A day of the landscape passes in 24 minutes. */
const SPEED = 60;
/** Documents of the trickle are numbered from here, far above those of the past. */
const FIRST_NUMBER = 500_000;
const RECOVERY_MS = 120_000;

export interface Trickle {
  /** What has happened since the last call, before `now` (epoch ms), and heartbeats of every source that say so. */
  take(now: number): { events: CloudEvent[]; traces: TracesRequest[]; logs: LogsRequest[] };
}

/** The bills that the tax engine's outage kept from Odoo get through: drafted and posted at `at`, each a second later. */
function recovered(events: readonly CloudEvent[], truth: readonly Planted[], at: number) {
  const subjects = new Set(
    truth.filter(({ fault }) => fault === 'tax-engine-outage').map(({ subject }) => subject),
  );
  return events
    .filter(({ type, subject }) => type === 'closewatch.bill.received.v1' && subjects.has(subject))
    .flatMap((received, index) =>
      ['bill.drafted', 'bill.posted'].map((type, step) => {
        const time = at + index * 1000 + step * 500;
        return {
          at: time,
          event: {
            ...received,
            id: `recovered-${step}-${received.id}`,
            source: '/odoo/prod',
            type: `closewatch.${type}.v1`,
            subject: `account.move/${FIRST_NUMBER - 1000 + index}`,
            time: new Date(time).toISOString(),
            data: { ...received.data, actor: { actorId: 'middleware', actorKind: 'service' } },
          },
        };
      }),
    );
}

/**
 * What goes on after `from` (epoch ms), a day of the landscape in 24 minutes, without weekends; two minutes in, the tax
 * engine is back and its bills are posted late. Pure: the same calls give the same happenings.
 */
export function createTrickle(options: {
  seed: number;
  from: number;
  companies: readonly Company[];
  past?: { events: readonly CloudEvent[]; truth: readonly Planted[] };
}): Trickle {
  const { seed, from, companies, past } = options;
  const always = companies.map((company) => ({
    ...company,
    calendar: { ...company.calendar, workdays: [1, 2, 3, 4, 5, 6, 7], holidays: [] },
  }));
  const land = createLandscape(createRandom(seed + 1), {
    until: Number.POSITIVE_INFINITY,
    idPrefix: `live-${from}`,
    firstNumber: FIRST_NUMBER,
    clock: (ms) => Math.round(from + (ms - from) / SPEED),
  });
  let recovery = past ? recovered(past.events, past.truth, from + RECOVERY_MS) : [];
  let told = from;
  let prepared = from;
  const prepareUpTo = (now: number) => {
    for (; from + (prepared - DAY - from) / SPEED <= now; prepared += DAY) {
      for (const company of always) {
        for (const day of workdays(company, prepared, prepared + DAY).slice(0, 1))
          usualDay(land, company, day, always);
      }
    }
  };
  return {
    take(now) {
      prepareUpTo(now);
      land.take(told);
      const { events, spans, logs } = land.take(now);
      const back = recovery.filter(({ at }) => at < now);
      recovery = recovery.filter(({ at }) => at >= now);
      told = Math.max(told, now);
      return {
        events: [
          ...events,
          ...back.map(({ event }) => event),
          ...companies.flatMap((company) => heartbeats(company, now - 1)),
        ],
        traces: tracesRequests(spans),
        logs: logsRequests(logs),
      };
    },
  };
}

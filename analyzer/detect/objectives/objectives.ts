import type { Transaction } from 'kysely';
import { parseDuration } from '../../../model/duration.ts';
import type { Flow } from '../../../model/flow.ts';
import type { Objective } from '../../../model/objective.ts';
import type { Obligation } from '../../../model/obligation.ts';
import type { Severity } from '../../../model/severity.ts';
import { dateOf } from '../../../model/time.ts';
import type { ClickHouse } from '../../../store/clickhouse/client.ts';
import { errorCounts, metricSeries, spanMinutes } from '../../../store/clickhouse/objective-queries.ts';
import type { Logger } from '../../../store/logger.ts';
import { moveCursor, readCursor } from '../../../store/postgres/cursors.ts';
import type { Postgres } from '../../../store/postgres/database.ts';
import { inhibit } from '../../../store/postgres/inhibitions.ts';
import {
  minutesSince,
  saveMinutes,
  saveSignatures,
  signaturesOf,
} from '../../../store/postgres/objectives.ts';
import type { Database } from '../../../store/postgres/schema.ts';
import { createSeriesDetector, type SeriesDetector } from '../anomaly/series.ts';
import { obligationId } from '../evaluator.ts';
import type { Recorded } from '../record.ts';
import { recordStanding, type Standing } from '../standing.ts';
import { burning, LONGEST } from './burn.ts';
import { countErrors } from './signatures.ts';

const MINUTE = 60_000_000_000n;
/** Spans may come so much later than they happened and are still counted. */
const LATE_MINUTES = 10;
/** A minute is looked at when it has been over for so long. */
const SETTLE_MINUTES = 1;
/** Signatures that were not seen for so long are new again. */
const FORGET_DAYS = 30;
/** Values of a series that a start reads to learn what is usual. */
const WARM_UP = 2_000;
/** Minutes of which errors are counted together, and for which one that was told stands at least. */
const STANDS_MINUTES = 30;
const MOST_ERROR_MINUTES = 60;

type One<Kind extends Objective['kind']> = Extract<Objective, { kind: Kind }>;

interface Watched {
  readonly flow: Flow;
  readonly objective: Objective;
}

interface Deps {
  readonly postgres: Postgres;
  readonly clickhouse: ClickHouse;
  readonly flows: readonly Flow[];
  readonly logger: Logger;
}

export interface Objectives {
  /** Looks at the telemetry of the minutes that are over since the last look, and opens and closes what it says. `now`: epoch nanoseconds. */
  run(now: bigint): Promise<Recorded>;
}

/** The objectives of the flows, by id. */
export const objectivesOf = (flows: readonly Flow[]): Watched[] =>
  flows.flatMap((flow) =>
    flow.objectives.filter(({ enabled }) => enabled).map((objective) => ({ flow, objective })),
  );

/** A regular expression (RE2) of whole names out of names and globs. */
export const namesRegex = (names: readonly string[] | undefined): string =>
  names === undefined
    ? ''
    : `^(?:${names
        .map((name) =>
          name
            .split('*')
            .map((part) => part.replace(/[.\\^$|?+()[\]{}]/g, '\\$&'))
            .join('.*'),
        )
        .join('|')})$`;

/** Watches what telemetry must keep to. What one of them cannot read is logged, and the others go on. */
export function createObjectives({ postgres, clickhouse, flows, logger }: Deps): Objectives {
  const { db } = postgres;
  const watched = objectivesOf(flows);
  const inhibitors = watched.flatMap(({ objective: { id, inhibits } }) =>
    inhibits ? [{ rule: id, explains: inhibits }] : [],
  );
  const detectors = new Map<
    string,
    { detector: SeriesDetector; upTo: number; standing: Map<string, Obligation> }
  >();
  let lookedAt: number | undefined;
  /** Errors that were told, until they are quiet again. */
  const told = new Map<string, { standing: Standing; until: bigint }>();

  async function spans(
    { flow, objective }: Watched & { objective: One<'error-rate'> | One<'latency'> },
    minute: number,
  ): Promise<Standing[]> {
    const slow = objective.kind === 'latency' ? parseDuration(objective.within) : undefined;
    const choice = {
      services: namesRegex(objective.service),
      operations: namesRegex(objective.operation),
      kind: objective.span === 'any' ? '' : objective.span,
      slowNs: slow?.clock === 'elapsed' ? slow.nanos : 0n,
    };
    const seen = await readCursor(db, cursorOf(objective));
    const from =
      seen === undefined ? minute - LONGEST : Math.max(minute - LONGEST, Number(seen) - LATE_MINUTES);
    const counted = await spanMinutes(clickhouse, choice, {
      from: BigInt(from + 1) * MINUTE,
      to: BigInt(minute + 1) * MINUTE,
    });
    await db.transaction().execute(async (trx) => {
      await saveMinutes(trx, objective.id, counted, minute - LONGEST);
      await moveCursor(trx, cursorOf(objective), BigInt(minute), new Date(minute * 60_000));
    });
    const minutes = await minutesSince(db, objective.id, minute - LONGEST);
    const target = Number(objective.objective.slice(0, -1)) / 100;
    const burn = burning(minutes, { objective: target, least: objective.least, now: minute });
    if (!burn) return [];
    const kind = objective.kind === 'latency' ? `slower than ${objective.within}` : 'errors';
    const subject = objective.service.join(', ');
    return [
      standing(flow, objective, {
        subject,
        occurrence: 'burn',
        at: BigInt(burn.since) * MINUTE,
        severity: burn.severity,
        why: `${subject}, ${kind}: ${burn.why}`,
      }),
    ];
  }

  async function errors(
    { flow, objective }: Watched & { objective: One<'error-signature'> },
    minute: number,
  ): Promise<Standing[]> {
    const seen = await readCursor(db, cursorOf(objective));
    const learning = seen === undefined;
    const from = learning ? minute - 1440 : Math.max(Number(seen), minute - MOST_ERROR_MINUTES);
    if (from < minute) {
      const time = { from: BigInt(from + 1) * MINUTE, to: BigInt(minute + 1) * MINUTE };
      const counts = await errorCounts(clickhouse, namesRegex(objective.service), time);
      const known = await signaturesOf(db, objective.id);
      const at = new Date(minute * 60_000);
      const { rows, findings } = countErrors(known, counts, {
        minutes: minute - from,
        least: objective.least,
        at,
        learning,
      });
      await db.transaction().execute(async (trx) => {
        await saveSignatures(trx, objective.id, rows, new Date(at.getTime() - FORGET_DAYS * 86_400_000));
        await moveCursor(trx, cursorOf(objective), BigInt(minute), at);
      });
      const until = BigInt(minute + STANDS_MINUTES) * MINUTE;
      for (const { service, signature, isNew, why } of findings) {
        const severity = isNew ? 'medium' : 'high';
        const found = standing(flow, objective, {
          subject: service,
          occurrence: signature,
          at: BigInt(from + 1) * MINUTE,
          severity,
          why,
        });
        const { id } = found.obligation;
        told.set(id, { standing: told.get(id)?.standing ?? found, until });
      }
    }
    const mine = [...told].filter(([, one]) => one.standing.obligation.rule === objective.id);
    for (const [id, { until }] of mine) if (until <= BigInt(minute) * MINUTE) told.delete(id);
    return mine.flatMap(([id, one]) => (told.has(id) ? [one.standing] : []));
  }

  async function series(
    { flow, objective }: Watched & { objective: One<'series'> },
    minute: number,
  ): Promise<Standing[]> {
    const step = parseDuration(objective.step);
    const stepMs = step?.clock === 'elapsed' ? Number(step.nanos / 1_000_000n) : 300_000;
    const to = Math.floor(((minute + 1) * 60_000) / stepMs) * stepMs;
    const read = [...detectors]
      .filter(([key]) => key.startsWith(`${objective.id}\n`))
      .map(([, one]) => one.upTo);
    const from = read.length === 0 ? to - WARM_UP * stepMs : Math.min(...read);
    if (from < to) {
      const choice = { services: namesRegex(objective.service), metric: objective.metric, stepMs };
      const values = await metricSeries(clickhouse, choice, {
        from: BigInt(from) * 1_000_000n,
        to: BigInt(to) * 1_000_000n,
      });
      for (const { service, at, value } of values) {
        const key = `${objective.id}\n${service}`;
        const one = detectors.get(key) ?? {
          detector: createSeriesDetector({ stepMs }),
          upTo: 0,
          standing: new Map(),
        };
        detectors.set(key, one);
        if (at < one.upTo) continue;
        const verdict = one.detector.observe(at, value);
        one.upTo = at + stepMs;
        if (!verdict.anomalous) one.standing.clear();
        else if (verdict.onset) {
          const { obligation } = standing(flow, objective, {
            subject: service,
            occurrence: objective.metric,
            at: BigInt(at) * 1_000_000n,
            severity: 'medium',
            why: `${objective.metric} of ${service}: ${verdict.why()} (score ${verdict.score.toFixed(1)}, of ${verdict.n} values)`,
          });
          one.standing.set(obligation.id, obligation);
        }
      }
    }
    return [...detectors]
      .filter(([key]) => key.startsWith(`${objective.id}\n`))
      .flatMap(([, one]) => [...one.standing.values()])
      .map((obligation) => ({
        obligation,
        severity: 'medium',
        closeImpact: objective.closeImpact,
        quiet: objective.observe,
      }));
  }

  function look(one: Watched, minute: number): Promise<Standing[]> {
    const { flow, objective } = one;
    switch (objective.kind) {
      case 'error-rate':
      case 'latency':
        return spans({ flow, objective }, minute);
      case 'error-signature':
        return errors({ flow, objective }, minute);
      case 'series':
        return series({ flow, objective }, minute);
    }
  }

  return {
    async run(now) {
      const minute = Number(now / MINUTE) - SETTLE_MINUTES - 1;
      const at = dateOf(now);
      const sum = { judged: 0, opened: 0, closed: 0 };
      // A minute that is over is looked at once, however often detection passes.
      if (minute === lookedAt) return sum;
      lookedAt = minute;
      for (const one of watched) {
        try {
          const found = await look(one, minute);
          const recorded = await db.transaction().execute(async (trx: Transaction<Database>) => {
            const done = await recordStanding(trx, [one.objective.id], found, at);
            if (inhibitors.length > 0) await inhibit(trx, inhibitors, at);
            return done;
          });
          sum.judged += recorded.judged;
          sum.opened += recorded.opened;
          sum.closed += recorded.closed;
        } catch (error) {
          logger.warn(
            { err: error, objective: one.objective.id },
            'an objective could not be looked at; the next pass tries again',
          );
        }
      }
      return sum;
    },
  };
}

const cursorOf = ({ id }: Objective): string => `objective.${id}`;

function standing(
  flow: Flow,
  objective: Objective,
  found: { subject: string; occurrence: string; at: bigint; severity: Severity; why: string },
): Standing {
  const place = { company: '', source: '', subject: found.subject };
  const obligation: Obligation = {
    ...place,
    id: obligationId(objective.id, place, found.occurrence),
    rule: objective.id,
    ruleVersion: 1,
    flow: flow.flow,
    kind: objective.kind === 'error-rate' || objective.kind === 'latency' ? 'threshold' : 'anomaly',
    occurrence: found.occurrence,
    state: 'open',
    anchorEvent: '',
    anchorAt: found.at,
    dueAt: found.at,
    events: [],
    eventSources: [],
    traceIds: [],
    caseKey: '',
    why: found.why,
    history: false,
  };
  return {
    obligation,
    severity: found.severity,
    closeImpact: objective.closeImpact,
    quiet: objective.observe,
  };
}

import type { Company } from '../../model/company.ts';
import { sumByCurrency } from '../../model/money.ts';
import { periodOf, shiftPeriod } from '../../model/period.ts';
import { linesOf } from '../../model/readiness.ts';
import { dateOf, formatInstant } from '../../model/time.ts';
import { isFresh, watermarkAt } from '../../model/watermark.ts';
import type { ClickHouse } from '../../store/clickhouse/client.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { recordSnapshots, type Snapshot } from '../../store/postgres/snapshots.ts';
import { knownCompanies, type SourceRow, streamOf } from '../../store/postgres/source-queries.ts';
import { type Readiness, readinessOf } from '../../store/readiness.ts';

export interface ReadinessDeps {
  readonly postgres: Postgres;
  readonly clickhouse: ClickHouse;
  /** The companies of companies.yaml. */
  readonly companies: readonly Company[];
  /** The company of a key; one with every default for others. */
  readonly company: (key: string) => Company;
}

export interface ReadinessHistory {
  /**
   * Writes to the history what changed since: the readiness of the running and the last month of every company, and the
   * watermarks of its streams, as of `now` (epoch nanoseconds). Returns how many entries; within a minute of the last time
   * it does nothing.
   */
  run(now: bigint): Promise<number>;
}

const AGAIN_AFTER = 60_000_000_000n;

/** Keeps the history of readiness and watermarks, which dashboards show and questions about the past read. */
export function createReadinessHistory(deps: ReadinessDeps): ReadinessHistory {
  let last: bigint | undefined;
  return {
    async run(now) {
      if (last !== undefined && now >= last && now - last < AGAIN_AFTER) return 0;
      const keys = new Set([
        ...deps.companies.map(({ key }) => key),
        ...(await knownCompanies(deps.postgres)),
      ]);
      const snapshots: Snapshot[] = [];
      for (const key of keys) {
        const company = deps.company(key);
        const running = periodOf(now, company);
        for (const period of [running, shiftPeriod(running, -1)]) {
          const readiness = await readinessOf(deps, { company, period }, now);
          snapshots.push(readinessSnapshot(readiness));
          if (period === running)
            snapshots.push(...readiness.sources.map((row) => watermarkSnapshot(row, company, now)));
        }
      }
      const written = await recordSnapshots(deps.postgres, snapshots, dateOf(now));
      last = now;
      return written;
    },
  };
}

const readinessSnapshot = ({ company, period, verdict, confidence, gates, groups }: Readiness): Snapshot => ({
  entity: 'readiness',
  entityId: `${company.key}:${period}`,
  company: company.key,
  state: verdict,
  facts: {
    period,
    confidence,
    gates: gates.map(({ id, title, state, detail }) => ({ id, title, state, detail })),
    openBySeverity: linesOf(groups).map(({ severity, count, blockers, sums }) => ({
      severity,
      count,
      blockers,
      sums,
    })),
    waived: sumByCurrency(groups.filter(({ state }) => state === 'waived')),
  },
});

function watermarkSnapshot(row: SourceRow, company: Company, now: bigint): Snapshot {
  const stream = streamOf(row);
  const mark = watermarkAt(stream, now, company);
  const fresh = isFresh(stream, now, company);
  return {
    entity: 'watermark',
    entityId: JSON.stringify([row.source, row.company, row.stream]),
    company: row.company,
    state: fresh ? 'fresh' : 'stale',
    facts: { source: row.source, stream: row.stream, kind: row.kind },
    moving: {
      watermark: mark === undefined ? null : formatInstant(mark),
      lastArrivalAt: row.last_arrival_at?.toISOString() ?? null,
      events: Number(row.events),
    },
  };
}

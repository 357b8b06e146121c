import type { RetentionConfig } from '../model/retention.ts';
import { applyRetention, dropOldEvents } from '../store/clickhouse/retention.ts';
import { appendChanges } from '../store/postgres/change-log.ts';
import { QUEUES } from '../store/queue/names.ts';
import type { Queues } from '../store/queue/queues.ts';
import type { Stores } from './stores.ts';

const EVERY_MS = 6 * 3_600_000;

/** Keeps the tables to the settings, at once and every six hours, in one process at a time. */
export async function scheduleHousekeeping(
  stores: Stores,
  retention: RetentionConfig,
  queues: Queues,
): Promise<void> {
  await queues.work(QUEUES.housekeeping, () => keepHouse(stores, retention, new Date()));
  await queues.every(QUEUES.housekeeping, 'retention', { everyMs: EVERY_MS }, {});
}

/** Applies the retention at `at`; finance events that go are recorded among the changes. */
export async function keepHouse(
  { clickhouse, postgres, logger }: Pick<Stores, 'clickhouse' | 'postgres' | 'logger'>,
  retention: RetentionConfig,
  at: Date,
): Promise<void> {
  await applyRetention(clickhouse, retention, { at, logger });
  const dropped = await dropOldEvents(clickhouse, retention, at);
  for (const { month, events } of dropped)
    logger.warn({ month, events }, 'finance events were dropped: their retention is over');
  if (dropped.length === 0) return;
  await postgres.db.transaction().execute((trx) =>
    appendChanges(
      trx,
      dropped.map(({ month, events }) => ({
        entity: 'retention' as const,
        entityId: month,
        company: '*',
        change: 'dropped',
        at,
        actor: 'closewatch',
        data: { table: 'finance_events', events, keptForMs: retention.events },
      })),
    ),
  );
}

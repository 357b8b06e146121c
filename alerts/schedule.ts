import { QUEUES } from '../store/queue/names.ts';
import type { Queues } from '../store/queue/queues.ts';
import type { Alerts } from './alerts.ts';

/** How often deliveries that failed are tried again, though nothing changed. */
const RETRY_EVERY_MS = 30_000;

/** Tells people as jobs: whenever the analysis wakes the queue, and now and then for what could not be delivered. */
export async function scheduleAlerts(
  alerts: Alerts,
  deps: { queues: Queues; clock: () => bigint },
): Promise<void> {
  await deps.queues.work(QUEUES.alerts, () => alerts.run(deps.clock()));
  await deps.queues.every(QUEUES.alerts, 'retry', { everyMs: RETRY_EVERY_MS }, {});
}

import { QUEUES } from '../store/queue/names.ts';
import type { Queues } from '../store/queue/queues.ts';
import type { Alerts } from './alerts.ts';

/** Milliseconds after which what failed for a while is looked at again. */
const EVERY_MS = 15_000;

/** Runs the alerts as jobs, one at a time: whenever they are woken, and every 15 seconds for what is to be tried again. */
export async function scheduleAlerts(
  alerts: Pick<Alerts, 'run'>,
  deps: { queues: Queues; clock: () => bigint },
): Promise<void> {
  await deps.queues.work(QUEUES.alerts, async () => {
    await alerts.run(deps.clock());
  });
  await deps.queues.every(QUEUES.alerts, 'due', { everyMs: EVERY_MS }, {});
}

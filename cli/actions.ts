import { LRUCache } from 'lru-cache';
import { createExecutor, type Executor } from '../analyzer/actions/execute.ts';
import { connectOdoo, type Odoo } from '../odoo/client.ts';
import { writerOf } from '../store/postgres/odoo-sources.ts';
import { QUEUES } from '../store/queue/names.ts';
import type { Queues } from '../store/queue/queues.ts';
import type { Catalogue } from './catalogue.ts';
import { sealerOf } from './secrets.ts';
import type { Stores } from './stores.ts';

const EVERY_MS = 5_000;
/** So long a connection is kept; one whose writer was taken away ends with it. */
const KEPT_MS = 60_000;

/** The worker of approved actions over the stores, with the writers of the Odoos that have one. */
export function createActions(stores: Stores, { flows, policy }: Catalogue): Executor {
  const { config, postgres, logger, counters } = stores;
  const sealer = sealerOf(config);
  const connections = new LRUCache<string, Promise<Odoo>>({ max: 100, ttl: KEPT_MS });
  async function writer(source: string): Promise<Odoo | undefined> {
    const known = await writerOf(postgres, sealer, source);
    if (!known) return undefined;
    const name = JSON.stringify([source, known.url, known.login, known.secret]);
    let connection = connections.get(name);
    if (!connection) {
      connection = connectOdoo(known);
      connections.set(name, connection);
      connection.catch(() => connections.delete(name));
    }
    return await connection;
  }
  const { ticketUrl, signingSecret } = config;
  return createExecutor({ postgres, flows, policy, writer, ticketUrl, signingSecret, logger, counters });
}

/** Carries out what was decided, every few seconds, in one process at a time. */
export async function scheduleActions(executor: Executor, queues: Queues): Promise<void> {
  await queues.work(QUEUES.actions, async () => {
    await executor.run(() => new Date());
  });
  await queues.every(QUEUES.actions, 'run', { everyMs: EVERY_MS }, {});
}

import type { FinanceEvent } from '../model/event.ts';
import type { FinanceEventStore } from './clickhouse/finance-events.ts';
import type { Counters } from './counters.ts';
import type { Logger } from './logger.ts';
import type { Postgres } from './postgres/database.ts';
import { confirmImportBatch, orphanedImportBatches } from './postgres/imports.ts';
import type { Inbox } from './postgres/inbox.ts';
import { withSpan } from './tracing.ts';

/** Copies what the inbox accepted to ClickHouse, in the order of batches, until it is told to stop. */
export interface Forwarder {
  /** Resolves when every batch accepted before the call is in ClickHouse. */
  drain(): Promise<void>;
  /** Finishes the batch in hand and stops. */
  stop(): Promise<void>;
}

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 30_000;
const LOOK_EVERY_MS = 2_000;
const TIDY_EVERY_MS = 60_000;
/** An import that has not confirmed a block for so long is dead. */
const ORPHANED_AFTER_MS = 10 * 60_000;
const KEEP_PAYLOAD_MS = 7 * 86_400_000;

/** The token under which a block of an import is stored: the same rows, the same token, whichever run sends them. */
export const importToken = (hash: string): string => `import:${hash}`;

/**
 * Starts the forwarder. Batches that an earlier process accepted and did not confirm are sent again, unchanged and under
 * the same token. While ClickHouse is away it tries again for ever, up to 30 s apart. It also closes blocks of imports
 * that were killed, and drops payloads seven days after their confirmation.
 */
export function createForwarder(deps: {
  readonly postgres: Postgres;
  readonly inbox: Inbox;
  readonly events: FinanceEventStore;
  readonly logger: Logger;
  readonly counters?: Counters;
  readonly now?: () => Date;
}): Forwarder {
  const { postgres, inbox, events, logger, counters, now = () => new Date() } = deps;
  let stopped = false;
  let wake = (): void => {};
  let rung = false;
  let retryMs = 0;
  let tidiedAt = 0;
  const idle: (() => void)[] = [];

  const ring = (): void => {
    rung = true;
    wake();
  };
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  async function tidy(): Promise<void> {
    if (now().getTime() - tidiedAt < TIDY_EVERY_MS) return;
    tidiedAt = now().getTime();
    await closeOrphans({ postgres, events, before: new Date(tidiedAt - ORPHANED_AFTER_MS), now });
    await inbox.purgePayloads(new Date(tidiedAt - KEEP_PAYLOAD_MS));
  }

  async function forward(): Promise<number> {
    const batches = await inbox.pendingBatches(64);
    for (const batch of batches) {
      if (stopped) break;
      await withSpan('forwarder.batch', {}, async (span) => {
        const accepted = await inbox.eventsOf(batch);
        span.setAttribute('closewatch.events', accepted.length);
        await events.insert(accepted, `inbox:${batch}`);
        await inbox.confirm(batch);
        counters?.add('closewatch_events_forwarded', {}, accepted.length);
      });
      retryMs = 0;
    }
    return batches.length;
  }

  async function run(): Promise<void> {
    while (!stopped) {
      rung = false;
      const asked = idle.length;
      try {
        if ((await forward()) > 0) continue;
        for (const resolve of idle.splice(0, asked)) resolve();
        await tidy();
        if (!rung && !stopped) await pause(LOOK_EVERY_MS);
      } catch (error) {
        if (stopped) return;
        counters?.add('closewatch_forward_failures', {});
        if (retryMs === 0)
          logger.warn({ err: error }, 'accepted events wait: they cannot be copied to ClickHouse');
        retryMs = Math.min(LAST_RETRY_MS, Math.max(FIRST_RETRY_MS, retryMs * 2));
        await pause(retryMs);
      }
    }
  }

  inbox.onAccepted(() => {
    if (retryMs === 0) ring();
  });
  const running = run();
  return {
    drain: () =>
      new Promise((resolve) => {
        idle.push(resolve);
        ring();
      }),
    async stop() {
      stopped = true;
      ring();
      await running;
      for (const resolve of idle.splice(0)) resolve();
    },
  };
}

/**
 * Closes blocks of imports that were taken before `before` and never confirmed: whatever of them is stored gets its keys,
 * which may be missing; whatever is not, the next run of the import brings under a new block.
 */
export async function closeOrphans(deps: {
  readonly postgres: Postgres;
  readonly events: FinanceEventStore;
  readonly before: Date;
  readonly source?: string | undefined;
  readonly now: () => Date;
}): Promise<number> {
  const { postgres, events, before, source } = deps;
  const batches = await orphanedImportBatches(postgres, { before, source });
  for (const batch of batches) {
    const stored: FinanceEvent[] = [];
    for await (const event of events.inBatches(batch - 1n, batch)) stored.push(event);
    if (stored.length > 0) await events.insertKeys(stored, `repair:${batch}`);
    await confirmImportBatch(postgres, batch, deps.now());
  }
  return batches.length;
}

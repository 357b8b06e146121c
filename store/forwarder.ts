import type { FinanceEvent } from '../model/event.ts';
import type { FinanceEventStore } from './clickhouse/finance-events.ts';
import type { Counters } from './counters.ts';
import { forwardBatch } from './forward-batch.ts';
import type { Intake } from './intake/intake.ts';
import type { Logger } from './logger.ts';
import type { Postgres } from './postgres/database.ts';
import { tidySettledLetters } from './postgres/housekeeping.ts';
import { confirmImportBatch, orphanedImportBatches } from './postgres/imports.ts';
import { type Inbox, openInbox } from './postgres/inbox.ts';
import type { DeadEvent } from './postgres/inbox-batches.ts';
import { withSpan } from './tracing.ts';

/** Copies what the inbox accepted to ClickHouse, batch by batch, until it is told to stop. */
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
/** So often a failure that lasts is told again. */
const TELL_EVERY_MS = 5 * 60_000;
/** Batches that are looked at, and those of a turn: after it there may be critical ones, and there is tidying. */
const BATCHES = 64;
const TURN = 8;
/** An import that has not confirmed a block for so long is dead. */
const ORPHANED_AFTER_MS = 10 * 60_000;
const DAY_MS = 86_400_000;
const RETENTION: InboxRetention = { payloadsMs: 7 * DAY_MS, settledLettersMs: 30 * DAY_MS };
/** Payloads, or letters, dropped in one turn. */
const PURGE = 10_000;

/** How long what nobody needs any more is kept. */
export interface InboxRetention {
  /** Milliseconds from the confirmation of an event in ClickHouse until its payload goes. */
  readonly payloadsMs: number;
  /** Milliseconds from the settling of a dead letter until it goes. */
  readonly settledLettersMs: number;
}

/** The token under which a block of an import is stored: the same rows, the same token, whichever run sends them. */
export const importToken = (hash: string): string => `import:${hash}`;

/**
 * Starts the forwarder. Batches that an earlier process accepted and did not confirm are sent again, unchanged and under the
 * same token; those with critical events go first. While ClickHouse is away it tries again for ever, up to 30 s apart, and
 * says so every five minutes. It also closes blocks of imports that were killed, and drops payloads seven days after their
 * confirmation and dead letters 30 days after they were settled (`retention`), however much comes in meanwhile. On an
 * embedded database blocks of imports that an earlier process left are closed at once: whoever opens it holds the lock of
 * its directory, so their process is dead.
 */
export function createForwarder(deps: {
  readonly postgres: Postgres;
  readonly inbox: Inbox;
  readonly events: FinanceEventStore;
  readonly logger: Logger;
  readonly counters?: Counters;
  /** Where events that ClickHouse does not take are accounted for. */
  readonly intake?: Pick<Intake, 'lost'>;
  readonly retention?: InboxRetention | undefined;
  readonly now?: () => Date;
}): Forwarder {
  const { postgres, inbox, events, logger, counters, intake, now = () => new Date() } = deps;
  const { payloadsMs, settledLettersMs } = deps.retention ?? RETENTION;
  const clock = (): number => now().getTime();
  let stopped = false;
  let wake = (): void => {};
  let rung = false;
  let retryMs = 0;
  let failing: { since: number; toldAt: number } | undefined;
  let inHand: bigint | undefined;
  let tidiedAt = Number.NEGATIVE_INFINITY;
  let foundLeft = postgres.backend === 'pglite' ? now() : undefined;
  let waiting: { readonly upTo: bigint; readonly resolve: () => void }[] = [];

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

  /** Does what is due of tidying; true when there is more of it to do at once. */
  async function tidy(): Promise<boolean> {
    const at = clock();
    if (at - tidiedAt < TIDY_EVERY_MS) return false;
    tidiedAt = at;
    try {
      const before = foundLeft ?? new Date(at - ORPHANED_AFTER_MS);
      await closeOrphans({ postgres, events, before, now });
      foundLeft = undefined;
      const purged = await inbox.purgePayloads(new Date(at - payloadsMs), PURGE);
      const letters = await tidySettledLetters(postgres, new Date(at - settledLettersMs));
      if (purged < PURGE && letters < PURGE) return false;
      tidiedAt = Number.NEGATIVE_INFINITY;
      return true;
    } catch (error) {
      if (!stopped)
        logger.warn({ err: error }, 'blocks of dead imports and old payloads could not be tidied away');
      return false;
    }
  }

  /** Copies the first batches that wait; returns how many. */
  async function forward(): Promise<number> {
    // Those who asked before the look: whatever they wait for is in what it finds, or stored.
    const asked = waiting;
    inHand = undefined;
    if (asked.length > 0) {
      const first = await inbox.firstPending();
      const done = asked.filter(({ upTo }) => first === undefined || upTo < first);
      waiting = waiting.filter((one) => !done.includes(one));
      for (const { resolve } of done) resolve();
    }
    const batches = await inbox.pendingBatches(BATCHES);
    let copied = 0;
    for (const pending of batches.slice(0, TURN)) {
      if (stopped) break;
      inHand = pending.batch;
      await withSpan('forwarder.batch', {}, async (span) => {
        const { stored, dead } = await forwardBatch({ inbox, events }, pending);
        span.setAttribute('closewatch.events', stored);
        counters?.add('closewatch_events_forwarded', {}, stored);
        if (dead.length > 0) tellDead(pending.batch, dead);
      });
      copied++;
      recovered();
    }
    return copied;
  }

  function tellDead(batch: bigint, dead: readonly DeadEvent[]): void {
    counters?.add('closewatch_events_dead', {}, dead.length);
    for (const { event } of dead)
      intake?.lost({
        source: event.source,
        company: event.company,
        stream: '',
        reason: 'poison',
        records: 1,
      });
    const reasons = [...new Set(dead.map(({ reason }) => reason))];
    logger.warn(
      { batch: batch.toString(), events: dead.length, reasons },
      'accepted events were set aside: ClickHouse does not take them (closewatch inbox list)',
    );
  }

  function recovered(): void {
    retryMs = 0;
    failing = undefined;
  }

  function tell(error: unknown): void {
    counters?.add('closewatch_forward_failures', {});
    failing ??= { since: clock(), toldAt: Number.NEGATIVE_INFINITY };
    if (clock() - failing.toldAt < TELL_EVERY_MS) return;
    failing.toldAt = clock();
    const fields = {
      batch: inHand?.toString(),
      failingSeconds: Math.round((clock() - failing.since) / 1000),
    };
    logger.warn({ err: error, ...fields }, 'accepted events wait: they cannot be copied to ClickHouse');
  }

  async function run(): Promise<void> {
    while (!stopped) {
      rung = false;
      try {
        const copied = await forward();
        recovered();
        const more = await tidy();
        if (copied === 0 && !more && !rung && !stopped) await pause(LOOK_EVERY_MS);
      } catch (error) {
        if (stopped) return;
        tell(error);
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
    async drain() {
      const upTo = await inbox.newestBatch();
      if (stopped) return;
      await new Promise<void>((resolve) => {
        waiting = [...waiting, { upTo, resolve }];
        ring();
      });
    },
    async stop() {
      stopped = true;
      ring();
      await running;
      for (const { resolve } of waiting) resolve();
      waiting = [];
    },
  };
}

/**
 * Closes blocks of imports that were taken before `before` and never confirmed: whatever of them is stored gets its keys,
 * which may be missing; whatever is not, the next run of the import brings under a new block. A block that the inbox holds
 * is stored whole.
 */
export async function closeOrphans(deps: {
  readonly postgres: Postgres;
  readonly events: FinanceEventStore;
  readonly before: Date;
  readonly source?: string | undefined;
  readonly now: () => Date;
}): Promise<number> {
  const { postgres, before, source } = deps;
  const batches = await orphanedImportBatches(postgres, { before, source });
  for (const batch of batches) await closeOrphan(deps, batch);
  return batches.length;
}

interface Closing {
  readonly postgres: Postgres;
  readonly events: FinanceEventStore;
  readonly now: () => Date;
}

/**
 * Copies a batch of imported events that the inbox holds to ClickHouse and confirms it; false when the inbox holds none of
 * it. Like any batch of the inbox it may be sent again.
 */
export async function storeImported({ postgres, events, now }: Closing, batch: bigint): Promise<boolean> {
  const inbox = openInbox(postgres, { now });
  const accepted = await inbox.eventsOf(batch);
  if (accepted.length === 0) return false;
  await events.insert(accepted, `inbox:${batch}`);
  await inbox.confirm(batch);
  return true;
}

/** Closes a block of an import that is dead. */
export async function closeOrphan(deps: Closing, batch: bigint): Promise<void> {
  if (await storeImported(deps, batch)) return;
  const stored: FinanceEvent[] = [];
  for await (const event of deps.events.inBatches(batch - 1n, batch)) stored.push(event);
  if (stored.length > 0) await deps.events.insertKeys(stored, `repair:${batch}`);
  await confirmImportBatch(deps.postgres, batch, deps.now());
}

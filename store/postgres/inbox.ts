import { type Context, context, SpanKind } from '@opentelemetry/api';
import { ClosewatchError } from '../../model/errors.ts';
import type { FinanceEvent } from '../../model/event.ts';
import { withSpan } from '../tracing.ts';
import type { AcceptedEvent, AcceptResult } from './accepted.ts';
import { closeBatch, type Size } from './batches.ts';
import type { Postgres } from './database.ts';
import { isOfTheData } from './failures.ts';
import {
  confirmBatch,
  type DeadEvent,
  eventsOfBatch,
  firstPending,
  newestBatch,
  type PendingBatch,
  pendingBatches,
  purgePayloads,
  setApart,
  storedUpTo,
} from './inbox-batches.ts';
import { commitEvents, type Item, sizeOf } from './inbox-commit.ts';
import { type Call, createLanes } from './inbox-lanes.ts';

export interface Inbox {
  /**
   * Takes events under their own sources, one result an event. When it returns, what is `accepted` is committed in
   * PostgreSQL, and open dead letters of it are settled. Calls that come together share one transaction; when the database
   * refuses what is in it, it is taken apart until the events that are to blame stand alone. Transactions share a batch
   * until it is read. Throws `request.overloaded` when too much waits: nothing of the call was accepted. Throws `store.unavailable` when the
   * database does not answer: whatever of the call may be committed is `known` when it is sent again.
   */
  accept(events: readonly AcceptedEvent[]): Promise<AcceptResult[]>;
  /** The number of the newest batch of the inbox, replays included; 0 when there is none. */
  newestBatch(): Promise<bigint>;
  /** Batches that ClickHouse has not confirmed: those with critical events first, each kind in order. */
  pendingBatches(limit: number): Promise<PendingBatch[]>;
  /** The lowest of them; undefined when there is none. */
  firstPending(): Promise<bigint | undefined>;
  /** The events of a batch, always in the same order, without those that are dead; from now on nothing is added to it. */
  eventsOf(batch: bigint): Promise<FinanceEvent[]>;
  /** Records that ClickHouse refused the batch as a whole: from now on it goes in parts. */
  setApart(batch: bigint): Promise<void>;
  /** Records that ClickHouse holds the batch, but for the dead ones: each of those becomes a dead letter. */
  confirm(batch: bigint, dead?: readonly DeadEvent[]): Promise<void>;
  /** The highest batch up to which every batch is stored; 0 when there is none. */
  storedUpTo(): Promise<bigint>;
  /**
   * Drops payloads of batches that were confirmed before the instant; keys and hashes stay, and the payloads of dead events
   * that somebody has to decide on. Returns how many.
   */
  purgePayloads(before: Date, limit?: number): Promise<number>;
  /** How much of what is limited events like these may take, from 0 to 1: all of it when one of them is critical. */
  shareOf(events: readonly AcceptedEvent[]): number;
  /** Called after each commit that accepted something. */
  onAccepted(listener: () => void): void;
  /** Waits for what was handed in. */
  drain(): Promise<void>;
}

const MAX_WAITING: Size = { events: 50_000, characters: 64 << 20 };

export interface InboxDeps {
  readonly now?: () => Date;
  /** Events, and characters of their JSON, that may wait to be committed. */
  readonly maxWaiting?: Size | undefined;
  /** Of it what is not critical may take, from 0 to 1. */
  readonly ordinaryShare?: number | undefined;
  /** Kinds of events (the first word of their type) that are committed before others and are the last to be refused. */
  readonly criticalKinds?: readonly string[] | undefined;
}

interface Waiting extends Call {
  readonly items: readonly Item[];
  readonly resolve: (results: AcceptResult[]) => void;
  readonly reject: (error: unknown) => void;
  readonly trace: Context;
}

/**
 * The inbox: the acceptance of events, de-duplicated by (source, id), numbered in batches in the order of commits. Calls
 * with an event of a critical kind go before the others.
 */
export function openInbox(postgres: Postgres, deps: InboxDeps = {}): Inbox {
  const { now = () => new Date(), maxWaiting = MAX_WAITING, ordinaryShare = 1 } = deps;
  const criticalKinds = new Set(deps.criticalKinds);
  const isCritical = ({ event }: AcceptedEvent): boolean =>
    criticalKinds.has(event.type.slice(0, event.type.indexOf('.')));
  const lanes = createLanes<Waiting>(maxWaiting, ordinaryShare);
  const listeners: (() => void)[] = [];
  let committing: Promise<void> | undefined;

  /** Commits the events; when the database refuses what is in them, one half and then the other, down to the single one. */
  async function commitOrSplit(events: readonly Item[]): Promise<AcceptResult[]> {
    try {
      return await commitEvents(postgres, events, { at: now(), isCritical });
    } catch (error) {
      if (!isOfTheData(error)) throw error;
      if (events.length === 1) return ['unstorable'];
      const half = events.length >> 1;
      return [...(await commitOrSplit(events.slice(0, half))), ...(await commitOrSplit(events.slice(half)))];
    }
  }

  /** Commits a group of calls; the span lies in the trace of the first of them. */
  function commitTraced(group: readonly Waiting[]): Promise<AcceptResult[]> {
    const events = group.flatMap((call) => call.items);
    const operation = { 'db.system.name': 'postgresql', 'db.operation.name': 'inbox.commit' };
    const attributes = { ...operation, 'db.operation.batch.size': events.length };
    return context.with(group[0]?.trace ?? context.active(), () =>
      withSpan('inbox.commit', attributes, () => commitOrSplit(events), SpanKind.CLIENT),
    );
  }

  async function commitAll(): Promise<void> {
    while (lanes.events > 0) {
      const group = lanes.next();
      try {
        const results = await commitTraced(group);
        let at = 0;
        for (const call of group) {
          call.resolve(results.slice(at, at + call.items.length));
          at += call.items.length;
        }
        if (results.includes('accepted')) for (const listener of listeners) listener();
      } catch (error) {
        const failure = new ClosewatchError('store.unavailable', 'the inbox could not be written', {
          cause: error,
        });
        for (const call of group) call.reject(failure);
      }
    }
    committing = undefined;
  }

  return {
    accept(events) {
      if (events.length === 0) return Promise.resolve([]);
      const items = events.map((item): Item => ({ ...item, body: JSON.stringify(item.event) }));
      const size = sizeOf(items);
      const critical = items.some(isCritical);
      return new Promise((resolve, reject) => {
        lanes.push({ items, size, critical, resolve, reject, trace: context.active() });
        // The microtask lets calls of the same turn of the loop share the first transaction.
        committing ??= Promise.resolve().then(commitAll);
      });
    },
    shareOf: (events) => (events.some(isCritical) ? 1 : ordinaryShare),
    newestBatch: () => newestBatch(postgres),
    pendingBatches: (limit) => pendingBatches(postgres, limit),
    firstPending: () => firstPending(postgres),
    async eventsOf(batch) {
      await closeBatch(postgres.db, batch);
      return await eventsOfBatch(postgres, batch);
    },
    setApart: (batch) => setApart(postgres, batch),
    confirm: (batch, dead = []) => confirmBatch(postgres, { batch, dead, at: now() }),
    storedUpTo: () => storedUpTo(postgres),
    purgePayloads: (before, limit = 10_000) => purgePayloads(postgres, before, limit),
    onAccepted: (listener) => void listeners.push(listener),
    drain: async () => {
      while (committing) await committing;
    },
  };
}

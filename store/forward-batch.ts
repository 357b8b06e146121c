import { ClickHouseError } from '@clickhouse/client';
import { errorCode } from '../model/errors.ts';
import { eventRefKey, type FinanceEvent } from '../model/event.ts';
import type { FinanceEventStore } from './clickhouse/finance-events.ts';
import type { Inbox } from './postgres/inbox.ts';
import type { DeadEvent, PendingBatch } from './postgres/inbox-batches.ts';

/** What became of the events of a batch. */
export interface Forwarded {
  readonly stored: number;
  readonly dead: readonly DeadEvent[];
}

interface Deps {
  readonly inbox: Pick<Inbox, 'eventsOf' | 'confirm' | 'setApart'>;
  readonly events: Pick<FinanceEventStore, 'insert' | 'insertEvents' | 'insertKeys' | 'byRefs'>;
}

/**
 * Copies a batch to ClickHouse and confirms it. When ClickHouse refuses what is in it, it goes in parts down to the events
 * that are to blame, which are set aside as dead. Broken off anywhere and called again it stores each event once. Throws
 * what is no fault of the events: then nothing is confirmed.
 */
export async function forwardBatch({ inbox, events }: Deps, pending: PendingBatch): Promise<Forwarded> {
  const { batch } = pending;
  const accepted = await inbox.eventsOf(batch);
  if (!pending.apart) {
    try {
      await events.insert(accepted, `inbox:${batch}`);
      await inbox.confirm(batch);
      return { stored: accepted.length, dead: [] };
    } catch (error) {
      if (errorCode(error) !== 'engine.data') throw error;
      await inbox.setApart(batch);
    }
  }
  const dead = await storeMissing(events, accepted, `inbox:${batch}`);
  await inbox.confirm(batch, dead);
  return { stored: accepted.length - dead.length, dead };
}

/**
 * Stores those of the events that ClickHouse does not have, and the keys of all; returns those that it refuses. It looks
 * first, as a token only tells about the same rows in the same parts. Keys go before: a repeat of them does no harm.
 */
async function storeMissing(
  events: Deps['events'],
  wanted: readonly FinanceEvent[],
  token: string,
): Promise<DeadEvent[]> {
  if (wanted.length === 0) return [];
  const keyless = await takeApart(wanted, token, (part, name) => events.insertKeys(part, name));
  const present = new Set((await events.byRefs(wanted)).map(eventRefKey));
  const refused = new Set(keyless.map(({ event }) => event));
  const missing = wanted.filter((event) => !present.has(eventRefKey(event)) && !refused.has(event));
  return [...keyless, ...(await takeApart(missing, token, (part, name) => events.insertEvents(part, name)))];
}

/** Inserts the events, in halves where they are refused; returns the single ones that are to blame. */
async function takeApart(
  events: readonly FinanceEvent[],
  token: string,
  insert: (part: readonly FinanceEvent[], token: string) => Promise<void>,
): Promise<DeadEvent[]> {
  const [first] = events;
  if (!first) return [];
  try {
    await insert(events, `${token}:${events.length}:${eventRefKey(first)}`);
    return [];
  } catch (error) {
    if (errorCode(error) !== 'engine.data') throw error;
    if (events.length === 1) return [{ event: first, reason: reasonOf(error) }];
    const half = events.length >> 1;
    return [
      ...(await takeApart(events.slice(0, half), token, insert)),
      ...(await takeApart(events.slice(half), token, insert)),
    ];
  }
}

/** In ClickHouse's own number and name: its message quotes the event. */
function reasonOf(error: unknown): string {
  const { cause } = error as Error;
  return cause instanceof ClickHouseError
    ? `ClickHouse ${cause.code} ${cause.type ?? ''}`.trim()
    : (error as Error).message;
}

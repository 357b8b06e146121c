import type { FinanceEvent } from '../../model/event.ts';

/** An event as a file tells it, before it has a batch. */
export type NewEvent = Omit<FinanceEvent, 'batch' | 'receivedAt'>;

/** Why something in a file is not stored: a closed set, for counts. */
export type BadReason =
  | 'unreadable'
  | 'case'
  | 'activity'
  | 'time'
  | 'sequence'
  | 'company'
  | 'amount'
  | 'currency'
  | 'too-long'
  | 'too-many-keys'
  | 'invalid'
  | 'unknown-version'
  | 'unsigned'
  | 'too-large'
  | 'source-denied'
  | 'company-denied'
  | 'conflict'
  | 'account'
  | 'details'
  | 'totals';

/** An event and its time in epoch nanoseconds; `bodyHash` where the sender gave the id, to tell another event under it. */
export interface Told {
  readonly event: NewEvent;
  readonly at: bigint;
  readonly bodyHash?: string | undefined;
  /** A heartbeat's watermark. */
  readonly declares?: { readonly stream: string; readonly completeUpTo: bigint } | undefined;
}

/** What becomes of a row: an event, left out, or refused. */
export type RowResult =
  | Told
  | { readonly skipped: true }
  | { readonly bad: string; readonly reason: BadReason };

/** One thing that a file holds, where it stands in it (`row 3`, `line 3`, `$.events[3]`), and what becomes of it. */
export interface Item {
  readonly where: string;
  readonly result: RowResult;
}

export const bad = (reason: BadReason, what: string): RowResult => ({ bad: what, reason });

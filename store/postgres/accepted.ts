import type { FinanceEvent } from '../../model/event.ts';

/** A valid event, before it has a batch: all of it but `batch` and `receivedAt`, which acceptance gives. */
export interface AcceptedEvent {
  readonly event: Omit<FinanceEvent, 'batch' | 'receivedAt'>;
  /** SHA-256 over the canonical JSON of what the sender sent. */
  readonly bodyHash: string;
  /** A heartbeat's watermark. */
  readonly declares?: { readonly stream: string; readonly completeUpTo: bigint } | undefined;
  /** It comes from an open dead letter, taken through again by a person: the letter is settled with it, or nothing is done. */
  readonly replays?: { readonly letter: string; readonly by: string; readonly receivedAt: Date } | undefined;
}

/**
 * `accepted` now; `known` already, with the same body; `conflict`: known with another body, so refused; `unstorable`: the
 * database does not take it, however often it is sent; `settled`: its dead letter is no longer open.
 */
export type AcceptResult = 'accepted' | 'known' | 'conflict' | 'unstorable' | 'settled';

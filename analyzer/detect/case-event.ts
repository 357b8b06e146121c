import type { FinanceEvent } from '../../model/event.ts';
import { isHistory } from '../../model/event.ts';
import { GROUP_KEY_TYPES, joinKey, type Key, strengthOf } from '../../model/key.ts';
import { parseInstant } from '../../model/time.ts';

/** A finance event as rules see it: its time as epoch nanoseconds, and no payload. */
export interface CaseEvent {
  readonly id: string;
  readonly source: string;
  readonly company: string;
  readonly subject: string;
  readonly type: string;
  readonly at: bigint;
  readonly sequence: bigint;
  /** Imported or back-filled: it starts nothing live. */
  readonly history: boolean;
  readonly amount?: string | undefined;
  readonly currency?: string | undefined;
  readonly companyAmount?: string | undefined;
  readonly companyCurrency?: string | undefined;
  readonly partyKey?: string | undefined;
  readonly docNumber?: string | undefined;
  readonly period?: string | undefined;
  readonly traceId?: string | undefined;
  readonly keys: readonly Key[];
  readonly attributes: Readonly<Record<string, string>>;
}

/** What rules take of a stored event; its time is an instant, or epoch nanoseconds already. */
export type StoredEvent = Omit<FinanceEvent, 'version' | 'time' | 'receivedAt' | 'batch' | 'data'> & {
  readonly time: string | bigint;
};

/** The event as rules see it. Throws a `RangeError` for an event whose time is no instant, which no store holds. */
export function caseEventOf(event: StoredEvent): CaseEvent {
  const at = typeof event.time === 'bigint' ? event.time : parseInstant(event.time);
  if (at === undefined) throw new RangeError(`event ${event.id} has no time: ${event.time}`);
  return {
    id: event.id,
    source: event.source,
    company: event.company,
    subject: event.subject,
    type: event.type,
    at,
    sequence: BigInt(event.sequence || '0'),
    history: isHistory(event.ingestPath),
    amount: event.amount,
    currency: event.currency,
    companyAmount: event.companyAmount,
    companyCurrency: event.companyCurrency,
    partyKey: event.partyKey,
    docNumber: event.docNumber,
    period: event.period,
    traceId: event.traceId,
    keys: event.keys,
    attributes: event.attributes,
  };
}

/** The order of events everywhere: time, then sequence, then id. */
export function inEventOrder(a: CaseEvent, b: CaseEvent): number {
  if (a.at !== b.at) return a.at < b.at ? -1 : 1;
  if (a.sequence !== b.sequence) return a.sequence < b.sequence ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** Are the events about the same thing, as its source names it? */
export const isSameSubject = (a: CaseEvent, b: CaseEvent): boolean =>
  a.subject === b.subject && a.source === b.source && a.company === b.company;

/** The join key of the event's subject: its raw text within its source. */
export const subjectKeyOf = (event: CaseEvent): string =>
  joinKey({ type: 'subject', value: event.subject }, event);

/**
 * The join keys of an event of the given key types. A key that several documents share (trace, batch) or that only
 * suggests (strength `heuristic`) never joins.
 */
export function joinKeysOfTypes(event: CaseEvent, types: readonly string[]): string[] {
  const found: string[] = [];
  for (const type of types) {
    if (type === 'subject') found.push(subjectKeyOf(event));
    else if (!GROUP_KEY_TYPES.has(type)) {
      for (const key of event.keys) {
        if (key.type === type && strengthOf(key) !== 'heuristic') found.push(joinKey(key, event));
      }
    }
  }
  return found;
}

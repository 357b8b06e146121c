import type { FinanceEvent } from '../../model/event.ts';
import { isHistory } from '../../model/event.ts';
import type { FieldBearer } from '../../model/event-field.ts';
import { GROUP_KEY_TYPES, joinKey, strengthOf } from '../../model/key.ts';
import { parseInstant } from '../../model/time.ts';

/** A finance event as rules see it: its times as epoch nanoseconds, its payload read when it is asked for. */
export interface CaseEvent extends FieldBearer {
  readonly id: string;
  readonly sequence: bigint;
  /** Imported or back-filled: it starts nothing live. */
  readonly history: boolean;
  readonly companyCurrency?: string | undefined;
  readonly traceId?: string | undefined;
}

/** What rules take of a stored event; its times are instants, or epoch nanoseconds already. */
export type StoredEvent = Omit<
  FinanceEvent,
  'version' | 'time' | 'receivedAt' | 'batch' | 'spanId' | 'correlationId' | 'flow'
> & { readonly time: string | bigint; readonly receivedAt: string | bigint };

const NOTHING: Readonly<Record<string, unknown>> = {};

const nanosOf = (time: string | bigint): bigint | undefined =>
  typeof time === 'bigint' ? time : parseInstant(time);

/** The event as rules see it. Throws a `RangeError` for an event whose time is no instant, which no store holds. */
export function caseEventOf(event: StoredEvent): CaseEvent {
  const at = nanosOf(event.time);
  if (at === undefined) throw new RangeError(`event ${event.id} has no time: ${event.time}`);
  let read: Readonly<Record<string, unknown>> | undefined;
  return {
    id: event.id,
    source: event.source,
    company: event.company,
    subject: event.subject,
    type: event.type,
    at,
    receivedAt: nanosOf(event.receivedAt),
    sequence: BigInt(event.sequence || '0'),
    history: isHistory(event.ingestPath),
    amount: event.amount,
    currency: event.currency,
    companyAmount: event.companyAmount,
    companyCurrency: event.companyCurrency,
    partyKey: event.partyKey,
    docNumber: event.docNumber,
    state: event.state,
    period: event.period,
    actorId: event.actorId,
    actorKind: event.actorKind,
    traceId: event.traceId,
    keys: event.keys,
    attributes: event.attributes,
    get data() {
      read ??= event.data.length > 2 ? objectOf(event.data) : NOTHING;
      return read;
    },
  };
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : NOTHING;
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

/** The join keys of an event by their type: many rules ask for the same ones of the same event. */
const KEYS = new WeakMap<CaseEvent, Map<string, readonly string[]>>();

function keysOfType(event: CaseEvent, type: string): readonly string[] {
  const known = KEYS.get(event) ?? new Map<string, readonly string[]>();
  KEYS.set(event, known);
  let keys = known.get(type);
  if (!keys) {
    keys =
      type === 'subject'
        ? [joinKey({ type, value: event.subject }, event)]
        : event.keys
            .filter((key) => key.type === type && strengthOf(key) !== 'heuristic')
            .map((key) => joinKey(key, event));
    known.set(type, keys);
  }
  return keys;
}

/** The join key of the event's subject: its raw text within its source. */
export const subjectKeyOf = (event: CaseEvent): string => keysOfType(event, 'subject')[0] as string;

/**
 * The join keys of an event of the given key types. A key that several documents share (trace, batch) or that only
 * suggests (strength `heuristic`) never joins.
 */
export function joinKeysOfTypes(event: CaseEvent, types: readonly string[]): string[] {
  const found: string[] = [];
  for (const type of types) if (!GROUP_KEY_TYPES.has(type)) found.push(...keysOfType(event, type));
  return found;
}

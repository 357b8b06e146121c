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

/** A stored event as rules see it: the payload is read, and join keys are made, when they are first asked for. */
class StoredCaseEvent implements CaseEvent {
  readonly id: string;
  readonly source: string;
  readonly company: string;
  readonly subject: string;
  readonly type: string;
  readonly at: bigint;
  readonly receivedAt: bigint | undefined;
  readonly sequence: bigint;
  readonly history: boolean;
  readonly amount: string | undefined;
  readonly currency: string | undefined;
  readonly companyAmount: string | undefined;
  readonly companyCurrency: string | undefined;
  readonly partyKey: string | undefined;
  readonly docNumber: string | undefined;
  readonly state: string | undefined;
  readonly period: string | undefined;
  readonly actorId: string | undefined;
  readonly actorKind: string | undefined;
  readonly traceId: string | undefined;
  readonly keys: FinanceEvent['keys'];
  readonly attributes: FinanceEvent['attributes'];
  readonly #text: string;
  #data: Readonly<Record<string, unknown>> | undefined;
  #subjectKey: string | undefined;
  /** The join key of each of its keys; empty for one that only suggests. */
  #joinKeys: readonly string[] | undefined;
  /** The keys that put it into the cases of rules, by the way in which they join. */
  readonly caseKeys: (readonly string[])[] = [];

  constructor(event: StoredEvent, at: bigint) {
    this.id = event.id;
    this.source = event.source;
    this.company = event.company;
    this.subject = event.subject;
    this.type = event.type;
    this.at = at;
    this.receivedAt = nanosOf(event.receivedAt);
    this.sequence = event.sequence === '0' || event.sequence === '' ? 0n : BigInt(event.sequence);
    this.history = isHistory(event.ingestPath);
    this.amount = event.amount;
    this.currency = event.currency;
    this.companyAmount = event.companyAmount;
    this.companyCurrency = event.companyCurrency;
    this.partyKey = event.partyKey;
    this.docNumber = event.docNumber;
    this.state = event.state;
    this.period = event.period;
    this.actorId = event.actorId;
    this.actorKind = event.actorKind;
    this.traceId = event.traceId;
    this.keys = event.keys;
    this.attributes = event.attributes;
    this.#text = event.data;
  }

  get data(): Readonly<Record<string, unknown>> {
    this.#data ??= this.#text.length > 2 ? objectOf(this.#text) : NOTHING;
    return this.#data;
  }

  get subjectKey(): string {
    this.#subjectKey ??= makeSubjectKey(this);
    return this.#subjectKey;
  }

  /** Puts the join keys of the type to the others. */
  addJoinKeys(type: string, to: string[]): void {
    const { keys } = this;
    this.#joinKeys ??= keys.map((key) => joinKeyOf(key, this));
    for (let i = 0; i < keys.length; i += 1) {
      const joined = this.#joinKeys[i];
      if (joined && keys[i]?.type === type) to.push(joined);
    }
  }
}

/** The event as rules see it. Throws a `RangeError` for an event whose time is no instant, which no store holds. */
export function caseEventOf(event: StoredEvent): CaseEvent {
  const at = nanosOf(event.time);
  if (at === undefined) throw new RangeError(`event ${event.id} has no time: ${event.time}`);
  return new StoredCaseEvent(event, at);
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

const makeSubjectKey = (event: CaseEvent): string =>
  joinKey({ type: 'subject', value: event.subject }, event);

const joinKeyOf = (key: FinanceEvent['keys'][number], event: CaseEvent): string =>
  strengthOf(key) === 'heuristic' ? '' : joinKey(key, event);

function addKeysOfType(event: CaseEvent, type: string, to: string[]): void {
  if (type === 'subject') to.push(subjectKeyOf(event));
  else if (event instanceof StoredCaseEvent) event.addJoinKeys(type, to);
  else
    for (const key of event.keys) if (key.type === type) to.push(...[joinKeyOf(key, event)].filter(Boolean));
}

/** The keys that put an event into the cases of all rules that join in this way, a small number, when they were remembered. */
export const rememberedKeys = (event: CaseEvent, way: number): readonly string[] | undefined =>
  event instanceof StoredCaseEvent ? event.caseKeys[way] : undefined;

/** Remembers them, where the event can. */
export function rememberKeys(event: CaseEvent, way: number, keys: readonly string[]): void {
  if (event instanceof StoredCaseEvent) event.caseKeys[way] = keys;
}

/** The join key of the event's subject: its raw text within its source. */
export const subjectKeyOf = (event: CaseEvent): string =>
  event instanceof StoredCaseEvent ? event.subjectKey : makeSubjectKey(event);

/**
 * The join keys of an event of the given key types. A key that several documents share (trace, batch) or that only
 * suggests (strength `heuristic`) never joins.
 */
export function joinKeysOfTypes(event: CaseEvent, types: readonly string[]): string[] {
  const found: string[] = [];
  for (const type of types) if (!GROUP_KEY_TYPES.has(type)) addKeysOfType(event, type, found);
  return found;
}

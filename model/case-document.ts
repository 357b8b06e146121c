import type { EventHead } from './event.ts';
import { joinKey, joinKeysOf, type KeyStrength, strengthOf, weakest } from './key.ts';

/** The unit of a case: what one source calls one subject, within a company. */
export interface CaseDocument {
  readonly company: string;
  readonly source: string;
  readonly subject: string;
  /** The first word of its event types: bill, payment, purchaseorder … */
  readonly kind: string;
  /** How many edges it lies from the start: 0 to 3. */
  readonly hop: number;
  /** Only heuristic keys lead to it: it may have nothing to do with the case. */
  readonly inferred: boolean;
  readonly events: readonly EventHead[];
}

export type DocumentName = Pick<EventHead, 'company' | 'source' | 'subject'>;

/** Names a document: company, source and subject. */
export const documentId = (name: DocumentName): string =>
  JSON.stringify([name.company, name.source, name.subject]);

const kindOf = (event: EventHead): string => event.type.slice(0, event.type.indexOf('.'));

/** The document of its events, of which there is one at least. */
export function documentOf(events: readonly EventHead[], hop: number, inferred: boolean): CaseDocument {
  const first = events[0] as EventHead;
  const { company, source, subject } = first;
  return { company, source, subject, kind: kindOf(first), hop, inferred, events };
}

/** The join keys of a document, and how sure a join by each is: as sure as the event that is surest of it. */
export function keysOfDocument({ events }: Pick<CaseDocument, 'events'>): Map<string, KeyStrength> {
  const keys = new Map<string, KeyStrength>();
  for (const event of events) {
    const own = new Map(event.keys.map((key) => [joinKey(key, event), strengthOf(key)]));
    for (const key of joinKeysOf(event)) {
      const strength = own.get(key) ?? 'exact';
      const before = keys.get(key);
      if (before === undefined || weakest(before, strength) === before) keys.set(key, strength);
    }
  }
  return keys;
}

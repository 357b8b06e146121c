import type { FinanceEvent } from './event.ts';
import { GROUP_KEY_TYPES, joinKey, joinKeysOf } from './key.ts';
import type { Span } from './span.ts';
import { parseInstant } from './time.ts';

/**
 * Kinds of documents that a case shows but does not pass through: many documents meet in them, and to follow them on
 * would join what has nothing to do with each other. So it is with the group keys, trace and batch (key.ts).
 */
const TERMINAL_KINDS: ReadonlySet<string> = new Set([
  'payment',
  'batchpayment',
  'bankstatement',
  'statementline',
  'settlement',
  'payout',
  'batch',
  'supplier',
  'customer',
]);

export const CASE_LIMITS = {
  hops: 3,
  documents: 200,
  edges: 1_000,
  events: 5_000,
  timeline: 2_000,
} as const;

/** The unit of a case: what one source calls one subject, within a company. */
export interface CaseDocument {
  readonly company: string;
  readonly source: string;
  readonly subject: string;
  /** The first word of its event types: bill, payment, purchaseorder … */
  readonly kind: string;
  /** How many edges it lies from the start: 0 to 3. */
  readonly hop: number;
  readonly events: readonly FinanceEvent[];
}

/** Two documents share the key. */
export interface CaseEdge {
  readonly from: string;
  readonly to: string;
  readonly key: string;
}

export interface Case {
  readonly documents: readonly CaseDocument[];
  readonly edges: readonly CaseEdge[];
  /** A limit was reached: there is more than is shown. */
  readonly truncated: boolean;
}

export type DocumentName = Pick<FinanceEvent, 'company' | 'source' | 'subject'>;

/** Names a document: company, source and subject. */
export const documentId = (name: DocumentName): string =>
  JSON.stringify([name.company, name.source, name.subject]);

const subjectKey = (name: DocumentName): string => joinKey({ type: 'subject', value: name.subject }, name);
const kindOf = (event: FinanceEvent): string => event.type.slice(0, event.type.indexOf('.'));
const keyTypeOf = (key: string): string => key.slice(0, key.indexOf(':'));

/** Does the walk go on from a document of this kind? */
const passesThrough = (kind: string): boolean => !TERMINAL_KINDS.has(kind);

function documentsOf(events: readonly FinanceEvent[], hop: number): Map<string, CaseDocument> {
  const groups = new Map<string, FinanceEvent[]>();
  for (const event of events) {
    const id = documentId(event);
    groups.set(id, [...(groups.get(id) ?? []), event]);
  }
  return new Map(
    [...groups].map(([id, group]) => {
      const first = group[0] as FinanceEvent;
      const { company, source, subject } = first;
      return [id, { company, source, subject, kind: kindOf(first), hop, events: group }];
    }),
  );
}

/**
 * The case of the join keys `start`: their documents, and the documents that exact or composite keys join to those, at
 * most 3 hops and 200 documents. `fetch` answers with every readable event that has one of the join keys, in the order of
 * events. A start by a group key (a trace, a batch) shows its documents and goes on from each.
 */
export async function walkCase(
  start: readonly string[],
  fetch: (joinKeys: readonly string[]) => Promise<readonly FinanceEvent[]>,
  limits: { readonly hops: number; readonly documents: number; readonly events: number } = CASE_LIMITS,
): Promise<Case> {
  const documents = new Map<string, CaseDocument>();
  const asked = new Set<string>(start);
  let truncated = false;
  let count = 0;
  let frontier: readonly string[] = start;
  for (let hop = 0; hop <= limits.hops && frontier.length > 0; hop++) {
    const touched = await fetch(frontier);
    const fresh = new Map<string, DocumentName>();
    for (const event of touched) {
      const id = documentId(event);
      if (documents.has(id) || fresh.has(id)) continue;
      if (documents.size + fresh.size >= limits.documents) truncated = true;
      else fresh.set(id, event);
    }
    if (fresh.size === 0) break;
    const whole = await fetch([...fresh.values()].map(subjectKey));
    const found = documentsOf(
      whole.filter((event) => fresh.has(documentId(event))),
      hop,
    );
    const next = new Set<string>();
    for (const [id, document] of found) {
      const room = limits.events - count;
      if (room <= 0) {
        truncated = true;
        break;
      }
      if (document.events.length > room) truncated = true;
      const kept = { ...document, events: document.events.slice(0, room) };
      count += kept.events.length;
      documents.set(id, kept);
      if (hop > 0 && !passesThrough(document.kind)) continue;
      for (const key of document.events.flatMap(joinKeysOf))
        if (!GROUP_KEY_TYPES.has(keyTypeOf(key)) && !asked.has(key)) next.add(key);
    }
    for (const key of next) asked.add(key);
    frontier = [...next];
  }
  return { documents: [...documents.values()], edges: edgesOf([...documents.values()]), truncated };
}

/** Every pair of neighbours that share a key, once: each further document is joined to the first that holds the key. */
function edgesOf(documents: readonly CaseDocument[]): CaseEdge[] {
  const holder = new Map<string, string>();
  const edges = new Map<string, CaseEdge>();
  for (const document of documents) {
    const id = documentId(document);
    for (const key of new Set(document.events.flatMap(joinKeysOf))) {
      const first = holder.get(key);
      if (first === undefined) holder.set(key, id);
      else if (first !== id)
        edges.set(`${first} ${id}`, edges.get(`${first} ${id}`) ?? { from: first, to: id, key });
    }
  }
  return [...edges.values()];
}

/** One line of a timeline: what happened when (nanoseconds since 1970). */
export type TimelineEntry =
  | { readonly kind: 'event'; readonly at: bigint; readonly event: FinanceEvent }
  | { readonly kind: 'span'; readonly at: bigint; readonly span: Span };

/** Events and spans in one order of time; at the same instant events keep their own order and come before spans. */
export function timelineOf(events: readonly FinanceEvent[], spans: readonly Span[]): TimelineEntry[] {
  const entries: TimelineEntry[] = [
    ...events.map((event): TimelineEntry => ({ kind: 'event', at: parseInstant(event.time) ?? 0n, event })),
    ...spans.map((span): TimelineEntry => ({ kind: 'span', at: BigInt(span.startNs), span })),
  ];
  const order = (entry: TimelineEntry): bigint =>
    entry.kind === 'event' ? BigInt(entry.event.sequence) : 0n;
  return entries.sort((a, b) => {
    if (a.at !== b.at) return a.at < b.at ? -1 : 1;
    if (a.kind !== b.kind) return a.kind === 'event' ? -1 : 1;
    const [x, y] = [order(a), order(b)];
    return x < y ? -1 : x > y ? 1 : 0;
  });
}

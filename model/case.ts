import {
  type CaseDocument,
  type DocumentName,
  documentId,
  documentOf,
  keysOfDocument,
} from './case-document.ts';
import { type CaseEdge, edgesOf } from './case-edges.ts';
import type { EventHead } from './event.ts';
import { GROUP_KEY_TYPES, joinKey, joinKeysOf, type KeyStrength, keyTypeOf, weakest } from './key.ts';

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
  /** A key that more documents share links them, and joins them to no case. */
  fanOut: 50,
  edges: 1_000,
  events: 5_000,
  timeline: 2_000,
} as const;

/** A key that joins nothing, because it is of a group or too many documents share it; it only says that there are others. */
export interface GroupLink {
  readonly key: string;
  /** Readable documents that share it; at least so many when a limit was reached. */
  readonly documents: number;
}

export interface Case {
  readonly documents: readonly CaseDocument[];
  readonly edges: readonly CaseEdge[];
  /** Keys of its documents that too many others share. */
  readonly groups: readonly GroupLink[];
  /** A limit was reached: there is more than is shown. */
  readonly truncated: boolean;
}

/** A document that has an event with the key. */
export interface KeyHit extends DocumentName {
  readonly key: string;
}

/** What a walk reads: never more than it may show, and one more, by which it knows that there is more. */
export interface CaseSource {
  /**
   * Readable documents that have an event with one of the join keys, with all their events, in the order of events: of each key
   * the first `documents`, and of all that the first `events`. Documents of `known` need not be read again.
   */
  events(
    joinKeys: readonly string[],
    first: { readonly documents: number; readonly events: number },
    known: readonly DocumentName[],
  ): Promise<readonly EventHead[]>;
  /**
   * Told what was found so far when the walk has taken a step and looks for more: mostly there is no more, so that what is
   * to be read of the case besides can begin.
   */
  soFar?(found: Case): void;
}

interface Limits {
  readonly hops: number;
  readonly documents: number;
  readonly fanOut: number;
  readonly events: number;
}

/**
 * The case of the join keys `start`: their documents, and the documents that keys join to those, at most 3 hops, 200
 * documents and 5,000 events. A start by a group key (a trace, a batch) shows its documents and goes on from each. Documents
 * that only a heuristic key leads to are shown, and not passed through.
 */
export async function walkCase(
  start: readonly string[],
  source: CaseSource,
  limits: Limits = CASE_LIMITS,
): Promise<Case> {
  const walk = new Walk(start, limits);
  let keys = start;
  for (let hop = 0; hop <= limits.hops && keys.length > 0; hop++) {
    const documents = (hop === 0 ? limits.documents : limits.fanOut) + 1;
    const known = walk.documents();
    const events = await source.events(keys, { documents, events: limits.events + 1 }, known);
    const all = [...known.flatMap((document) => document.events), ...events];
    const fresh = walk.reach(hitsAmong(all, keys), hop);
    const passed = walk.take(fresh, events, hop);
    keys = [...passed.map(subjectKey), ...walk.nextKeys(passed)];
    if (hop > 0 && hop < limits.hops && keys.length > 0) source.soFar?.(walk.found());
  }
  return walk.found();
}

/** By which of the join keys each document is reached, in the order of the events. */
function hitsAmong(events: readonly EventHead[], joinKeys: readonly string[]): KeyHit[] {
  const asked = new Set(joinKeys);
  const hits = new Map<string, KeyHit>();
  for (const event of events) {
    const { company, source, subject } = event;
    for (const key of joinKeysOf(event))
      if (asked.has(key)) {
        const id = `${key}\n${documentId(event)}`;
        if (!hits.has(id)) hits.set(id, { key, company, source, subject });
      }
  }
  return [...hits.values()];
}

const subjectKey = (name: DocumentName): string => joinKey({ type: 'subject', value: name.subject }, name);

/** A walk on its way: what it found, and what it has asked for. */
class Walk {
  readonly #documents = new Map<string, CaseDocument>();
  readonly #groups = new Map<string, GroupLink>();
  /** By which keys the documents of this hop are reached. */
  readonly #reached = new Map<string, string[]>();
  readonly #asked: Map<string, KeyStrength>;
  readonly #limits: Limits;
  #truncated = false;
  /** Events that may still be shown. */
  #room: number;

  constructor(start: readonly string[], limits: Limits) {
    this.#asked = new Map(start.map((key) => [key, 'exact']));
    this.#limits = limits;
    this.#room = limits.events;
  }

  /** The documents that are new among the hits, as many as may be shown. */
  reach(hits: readonly KeyHit[], hop: number): DocumentName[] {
    const { documents, fanOut } = this.#limits;
    const perKey = hop === 0 ? documents : fanOut;
    const names = new Map<string, DocumentName>();
    this.#reached.clear();
    for (const [key, own] of Map.groupBy(hits, (hit) => hit.key)) {
      if (hop > 0 && own.length > perKey) {
        this.#groups.set(key, { key, documents: own.length });
        continue;
      }
      for (const name of own) {
        const id = documentId(name);
        if (this.#documents.has(id)) continue;
        names.set(id, name);
        this.#reached.set(id, [...(this.#reached.get(id) ?? []), key]);
      }
    }
    const fresh = [...names.values()].slice(0, documents - this.#documents.size);
    if (fresh.length < names.size) this.#truncated = true;
    return fresh;
  }

  /** Adds the documents with their events, which are among `read`; those that the walk goes on from. */
  take(names: readonly DocumentName[], read: readonly EventHead[], hop: number): CaseDocument[] {
    const ids = new Set(names.map(documentId));
    const events = read.filter((event) => ids.has(documentId(event)));
    if (read.length > this.#limits.events || events.length > this.#room) this.#truncated = true;
    const shown = Map.groupBy(events.slice(0, this.#room), documentId);
    this.#room -= Math.min(this.#room, events.length);
    const passed: CaseDocument[] = [];
    for (const id of ids) {
      const own = shown.get(id);
      if (!own) continue;
      const keys = keysOfDocument({ events: own });
      const sureness = (key: string): KeyStrength =>
        weakest(this.#asked.get(key) ?? 'exact', keys.get(key) ?? 'exact');
      const inferred = hop > 0 && (this.#reached.get(id) ?? []).every((key) => sureness(key) === 'heuristic');
      const document = documentOf(own, hop, inferred);
      this.#documents.set(id, document);
      if (!inferred && (hop === 0 || !TERMINAL_KINDS.has(document.kind))) passed.push(document);
    }
    for (const document of passed) this.#asked.set(subjectKey(document), 'exact');
    return passed;
  }

  /** The keys of the documents that were not asked for yet. */
  nextKeys(documents: readonly CaseDocument[]): string[] {
    const next = new Set<string>();
    for (const document of documents)
      for (const [key, strength] of keysOfDocument(document)) {
        const before = this.#asked.get(key);
        if (GROUP_KEY_TYPES.has(keyTypeOf(key)) || (before !== undefined && !next.has(key))) continue;
        if (before === undefined || weakest(before, strength) === before) this.#asked.set(key, strength);
        next.add(key);
      }
    return [...next];
  }

  documents(): CaseDocument[] {
    return [...this.#documents.values()];
  }

  found(): Case {
    const documents = this.documents();
    return {
      documents,
      edges: edgesOf(documents, new Set(this.#groups.keys())),
      groups: [...this.#groups.values()],
      truncated: this.#truncated,
    };
  }
}

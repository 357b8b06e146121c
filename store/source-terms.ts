import type { FinanceEvent } from '../model/event.ts';
import type { FinanceEventStore } from './clickhouse/finance-events.ts';
import type { Postgres } from './postgres/database.ts';
import type { Inbox } from './postgres/inbox.ts';
import type { SourceDomain } from './postgres/schema.ts';
import { coversSource } from './postgres/tokens.ts';

/** What is agreed of a source; what is left out is as usual. */
export interface SourceTerm {
  /** How late its data may come, milliseconds. */
  readonly lateness?: number | undefined;
  /** For how long it may say nothing, milliseconds. */
  readonly silence?: number | undefined;
  readonly domain?: SourceDomain | undefined;
  /** Kinds of objects (`bill`, `payment`) of which it is the system of record. */
  readonly authoritative?: readonly string[] | undefined;
}

/** Terms by source; they hold for what lies below it by `/` too, and `*` for every source. */
export type SourceTerms = Readonly<Record<string, SourceTerm>>;

const LATENESS_MS = 600_000;

/** The terms of a source: of every name that covers it, each field as the longest of them says. */
export function termOf(terms: SourceTerms, source: string): SourceTerm {
  const covering = Object.keys(terms)
    .filter((name) => coversSource(name, source))
    .sort((a, b) => widthOf(a) - widthOf(b));
  return Object.assign({}, ...covering.map((name) => terms[name]));
}

const widthOf = (name: string): number => (name === '*' ? 0 : name.length);

/** The attribute of an event that does not come from the system of record of its kind. */
export const AUTHORITATIVE = 'closewatch.authoritative';

/**
 * Marks events that come from another source than the one that is authoritative for their kind: they are stored with the
 * attribute `closewatch.authoritative` = `false`. Kinds for which no source is authoritative are left alone; the attribute
 * is ours, so a sender's own is dropped.
 */
export function authorityMarker(terms: SourceTerms) {
  const owners = new Map<string, string[]>();
  for (const [source, { authoritative = [] }] of Object.entries(terms))
    for (const kind of authoritative) owners.set(kind, [...(owners.get(kind) ?? []), source]);
  return <Event extends Pick<FinanceEvent, 'source' | 'type' | 'attributes'>>(event: Event): Event => {
    const [kind = ''] = event.type.split('.', 1);
    const others = owners.get(kind);
    const isForeign = others !== undefined && !others.some((owner) => coversSource(owner, event.source));
    if (!isForeign && !Object.hasOwn(event.attributes, AUTHORITATIVE)) return event;
    const { [AUTHORITATIVE]: _, ...attributes } = event.attributes;
    return { ...event, attributes: isForeign ? { ...attributes, [AUTHORITATIVE]: 'false' } : attributes };
  };
}

/** The inbox, with every event marked before it is taken. */
export function markingInbox(inbox: Inbox, terms: SourceTerms): Inbox {
  const mark = authorityMarker(terms);
  return {
    ...inbox,
    accept: (events) => inbox.accept(events.map((item) => ({ ...item, event: mark(item.event) }))),
  };
}

/** The store of events, with every event marked before it is stored. */
export function markingEvents(events: FinanceEventStore, terms: SourceTerms): FinanceEventStore {
  const mark = authorityMarker(terms);
  return { ...events, insert: (batch, token) => events.insert(batch.map(mark), token) };
}

/**
 * Brings the streams that are known to the terms of their sources: at the start, and when new ones have come. Those of no
 * terms get the usual ones. Returns how many changed.
 */
export async function applyTerms({ db }: Pick<Postgres, 'db'>, terms: SourceTerms): Promise<number> {
  let changed = 0;
  const streams = await db
    .selectFrom('sources')
    .select(['source', 'company', 'stream', 'lateness_ms', 'silence_ms'])
    .execute();
  const accounts = await db
    .selectFrom('intake')
    .select(['source', 'company', 'stream', 'lateness_ms', 'silence_ms', 'domain'])
    .execute();
  for (const [table, rows] of [
    ['sources', streams],
    ['intake', accounts],
  ] as const) {
    for (const row of rows) {
      const { lateness = LATENESS_MS, silence, domain = 'transactional' } = termOf(terms, row.source);
      const wanted = {
        lateness_ms: `${lateness}`,
        silence_ms: silence === undefined ? null : `${silence}`,
        ...('domain' in row ? { domain: row.company === '' ? ('telemetry' as const) : domain } : {}),
      };
      if (Object.entries(wanted).every(([name, value]) => row[name as keyof typeof row] === value)) continue;
      // One row a statement: what waits for one row only waits for nobody in a circle.
      await db
        .updateTable(table)
        .set(wanted)
        .where('source', '=', row.source)
        .where('company', '=', row.company)
        .where('stream', '=', row.stream)
        .execute();
      changed++;
    }
  }
  return changed;
}

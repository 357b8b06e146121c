import { CASE_LIMITS, type Case, type GroupLink, walkCase } from '../../model/case.ts';
import { type CaseDocument, keysOfDocument } from '../../model/case-document.ts';
import { type TimelineEntry, timelineOf } from '../../model/case-timeline.ts';
import type { EventHead } from '../../model/event.ts';
import { GROUP_KEY_TYPES, keyTypeOf } from '../../model/key.ts';
import type { CompanyScope } from '../../model/principal.ts';
import { eventReader, sizesOfKeys } from './case-queries.ts';
import { type CaseReads, type CaseTraces, findCaseTraces } from './case-traces.ts';
import type { ClickHouse } from './client.ts';

export interface FoundCase extends Case {
  readonly timeline: readonly TimelineEntry[];
  /** The readable traces of its events and of the spans that hold its keys. */
  readonly traceIds: readonly string[];
}

/** So many keys of a case are looked for among spans at most. */
const MAX_KEYS = 1_000;

/**
 * The case of the join keys as far as the scope may read: its documents, and one timeline of their events, and of the spans
 * and log records of their traces: those that its events name, and those of which a span holds one of its keys. Events of
 * other companies are neither shown nor walked through.
 */
export async function findCase(
  reads: CaseReads,
  companies: CompanyScope,
  start: readonly string[],
): Promise<FoundCase> {
  const { clickhouse } = reads;
  let ahead: { readonly of: Case; readonly rest: Promise<RestOfCase> } | undefined;
  const found = await walkCase(start, {
    events: eventReader(clickhouse, companies),
    soFar(some) {
      ahead = { of: some, rest: restOf(reads, companies, start, some) };
      // It is looked at below, or not at all.
      ahead.rest.catch(() => {});
    },
  });
  const isSame =
    ahead?.of.documents.length === found.documents.length && ahead.of.groups.length === found.groups.length;
  const { events, traces, groups, tooManyKeys } = await (isSame && ahead
    ? ahead.rest
    : restOf(reads, companies, start, found));
  const timeline = timelineOf(events, traces.spans, traces.logs);
  return {
    ...found,
    groups,
    edges: found.edges.slice(0, CASE_LIMITS.edges),
    truncated:
      found.truncated ||
      traces.truncated ||
      tooManyKeys ||
      timeline.length > CASE_LIMITS.timeline ||
      found.edges.length > CASE_LIMITS.edges,
    timeline: timeline.slice(0, CASE_LIMITS.timeline),
    traceIds: traces.traceIds,
  };
}

interface RestOfCase {
  readonly events: readonly EventHead[];
  readonly traces: CaseTraces;
  readonly groups: readonly GroupLink[];
  readonly tooManyKeys: boolean;
}

/** What belongs to the documents of a case besides: traces, and how many documents are behind its links. */
async function restOf(
  reads: CaseReads,
  companies: CompanyScope,
  start: readonly string[],
  found: Case,
): Promise<RestOfCase> {
  const events = found.documents.flatMap((document) => document.events);
  const { joining, linking } = keysOf(found.documents, start, new Set(found.groups.map(({ key }) => key)));
  const asked = start.flatMap((key) => (key.startsWith('trace:') ? [key.slice('trace:'.length)] : []));
  const [traces, groups] = await Promise.all([
    findCaseTraces(reads, companies, { events, keys: joining.slice(0, MAX_KEYS), asked }),
    linksOf(reads.clickhouse, companies, found.groups, linking),
  ]);
  return { events, traces, groups, tooManyKeys: joining.length > MAX_KEYS };
}

/** The keys of a case by which its spans are found, and those that only say that there are others. */
function keysOf(
  documents: readonly CaseDocument[],
  start: readonly string[],
  wide: ReadonlySet<string>,
): { joining: string[]; linking: string[] } {
  const joining = new Set(start.filter((key) => keyTypeOf(key) !== 'trace'));
  const linking = new Set<string>();
  for (const document of documents.filter(({ inferred }) => !inferred))
    for (const [key, strength] of keysOfDocument(document))
      if (keyTypeOf(key) === 'batch') linking.add(key);
      else if (strength !== 'heuristic' && !GROUP_KEY_TYPES.has(keyTypeOf(key)) && !wide.has(key))
        joining.add(key);
  return { joining: [...joining], linking: [...linking].filter((key) => !start.includes(key)) };
}

/** The links with the documents of each counted. */
async function linksOf(
  clickhouse: ClickHouse,
  companies: CompanyScope,
  wide: readonly GroupLink[],
  linking: readonly string[],
): Promise<GroupLink[]> {
  const keys = [...wide.map(({ key }) => key), ...linking].slice(0, MAX_KEYS);
  if (keys.length === 0) return [];
  const sizes = await sizesOfKeys(clickhouse, companies, keys);
  return keys
    .map((key) => ({ key, documents: sizes.get(key) ?? 0 }))
    .filter(({ documents }) => documents > 1);
}

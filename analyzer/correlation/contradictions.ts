import { CASE_LIMITS } from '../../model/case.ts';
import { documentId, documentOf } from '../../model/case-document.ts';
import { type Contradiction, contradictionsOf, IDENTIFYING_TYPES } from '../../model/contradiction.ts';
import { dateOf } from '../../model/time.ts';
import { documentsOfKeys, eventsOfDocuments } from '../../store/clickhouse/case-queries.ts';
import type { ClickHouse } from '../../store/clickhouse/client.ts';
import { keysOfSeveralSources } from '../../store/clickhouse/shared-keys.ts';
import {
  contradictionsCursor,
  recordContradictions,
  tidyContradictions,
} from '../../store/postgres/contradictions.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { storedUpTo } from '../../store/postgres/inbox-batches.ts';

export interface ContradictionsDeps {
  readonly postgres: Postgres;
  readonly clickhouse: ClickHouse;
}

const CURSOR = 'contradictions';
/** Batches that are looked at together, and keys that are asked for at once. */
const BATCHES = 50n;
const KEYS = 2_000;
const KEYS_AT_ONCE = 200;
/** Of so many a run, so that it holds nothing else up for long; the next run goes on. */
const WINDOWS = 10;

/**
 * Looks, among the documents that new events share a key with, for what two systems say differently of one document, and
 * records it. It costs what is new: only keys of batches that it has not seen, and only those that two sources use.
 */
export async function findContradictions(deps: ContradictionsDeps, now: bigint): Promise<number> {
  const { postgres, clickhouse } = deps;
  const at = dateOf(now);
  const newest = await storedUpTo(postgres);
  let after = (await contradictionsCursor(postgres, CURSOR)) ?? 0n;
  let count = 0;
  for (let window = 0; window < WINDOWS && after < newest; window++) {
    const upTo = after + BATCHES < newest ? after + BATCHES : newest;
    const keys = await keysOfSeveralSources(
      clickhouse,
      { after, upTo },
      { types: IDENTIFYING_TYPES, most: CASE_LIMITS.fanOut, limit: KEYS },
    );
    const found: Contradiction[] = [];
    for (let i = 0; i < keys.length; i += KEYS_AT_ONCE)
      found.push(...(await amongKeys(clickhouse, keys.slice(i, i + KEYS_AT_ONCE))));
    await recordContradictions(postgres, { found, keys, cursor: CURSOR, upTo, at });
    count += found.length;
    after = upTo;
  }
  await tidyContradictions(postgres, at);
  return count;
}

async function amongKeys(clickhouse: ClickHouse, keys: readonly string[]): Promise<Contradiction[]> {
  const names = new Map(
    (await documentsOfKeys(clickhouse, '*', keys, CASE_LIMITS.fanOut)).map((hit) => [documentId(hit), hit]),
  );
  if (names.size === 0) return [];
  const events = await eventsOfDocuments(clickhouse, [...names.values()], CASE_LIMITS.events);
  const documents = [...Map.groupBy(events, documentId).values()].map((own) => documentOf(own, 0, false));
  return contradictionsOf(documents);
}

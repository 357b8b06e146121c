import { typesOf } from '../../model/flow.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import { type CaseEvent, caseEventOf } from './case-event.ts';
import { caseKeysOf, casesOf } from './cases.ts';
import type { Rule } from './rules.ts';

/** The whole cases of a rule that join keys touch, and every join key in them. */
export interface LoadedCases {
  readonly cases: readonly (readonly CaseEvent[])[];
  readonly keys: readonly string[];
}

/**
 * Loads the cases of the keys as of `at` (epoch nanoseconds): the events of the keys, those of their other keys, and so
 * on until no key is new.
 */
export async function loadCases(
  events: Pick<FinanceEventStore, 'byJoinKeys'>,
  { expectation }: Rule,
  keys: Iterable<string>,
  at: bigint,
): Promise<LoadedCases> {
  const known = new Set(keys);
  const loaded = new Map<string, CaseEvent>();
  let frontier = [...known];
  while (frontier.length > 0) {
    const fresh = new Set<string>();
    for (const stored of await events.byJoinKeys(frontier, { asOf: at, types: typesOf(expectation) })) {
      const event = caseEventOf(stored);
      loaded.set(`${event.source}\n${event.id}`, event);
      for (const key of caseKeysOf(expectation, event)) if (!known.has(key)) fresh.add(key);
    }
    for (const key of fresh) known.add(key);
    frontier = [...fresh];
  }
  return { cases: casesOf(expectation, loaded.values()), keys: [...known] };
}

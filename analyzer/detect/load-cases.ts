import { typeMatcher } from '../../model/event-pattern.ts';
import { typesOf } from '../../model/expectation.ts';
import { joinKeysOf } from '../../model/key.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import { type CaseEvent, caseEventOf } from './case-event.ts';
import { caseKeysOf, casesOf } from './cases.ts';
import type { Rule } from './rules.ts';

/** Events by join key. A key is asked for once, for all rules together: what several rules look at is read once. */
export interface EventsByKey {
  /** The events of the types that have one of the join keys, each once. */
  get(keys: readonly string[], types: readonly string[]): Promise<Iterable<CaseEvent>>;
}

/** Reads events up to `at` (epoch nanoseconds) of the types of these rules, those of the keys at once. */
export async function readEvents(
  events: Pick<FinanceEventStore, 'factsByJoinKeys'>,
  rules: readonly Rule[],
  keys: Iterable<string>,
  at: bigint,
): Promise<EventsByKey> {
  const types = [...new Set(rules.flatMap(({ expectation }) => typesOf(expectation)))];
  const byKey = new Map<string, CaseEvent[]>();
  const known = new Map<string, CaseEvent>();
  async function read(asked: Iterable<string>): Promise<void> {
    const missing = [...new Set(asked)].filter((key) => !byKey.has(key));
    if (missing.length === 0) return;
    const stored = await events.factsByJoinKeys(missing, { asOf: at, types });
    for (const key of missing) byKey.set(key, []);
    const fresh = new Set(missing);
    for (const one of stored) {
      const name = `${one.source}\n${one.id}`;
      const event = known.get(name) ?? caseEventOf(one);
      known.set(name, event);
      for (const key of joinKeysOf(one)) if (fresh.has(key)) byKey.get(key)?.push(event);
    }
  }
  await read(keys);
  return {
    async get(asked, wanted) {
      await read(asked);
      const matches = typeMatcher(wanted);
      const found = new Set<CaseEvent>();
      for (const key of asked)
        for (const event of byKey.get(key) ?? []) if (matches(event.type)) found.add(event);
      return found;
    },
  };
}

/** The whole cases of a rule that join keys touch, and every join key in them. */
export interface LoadedCases {
  readonly cases: readonly (readonly CaseEvent[])[];
  readonly keys: readonly string[];
}

/** Loads the cases of the keys: the events of the keys, those of their other keys, and so on until no key is new. */
export async function loadCases(
  events: EventsByKey,
  { expectation }: Rule,
  keys: Iterable<string>,
): Promise<LoadedCases> {
  const known = new Set(keys);
  const loaded = new Set<CaseEvent>();
  let frontier = [...known];
  while (frontier.length > 0) {
    const fresh = new Set<string>();
    for (const event of await events.get(frontier, typesOf(expectation))) {
      loaded.add(event);
      for (const key of caseKeysOf(expectation, event)) if (!known.has(key)) fresh.add(key);
    }
    for (const key of fresh) known.add(key);
    frontier = [...fresh];
  }
  return { cases: casesOf(expectation, loaded), keys: [...known] };
}

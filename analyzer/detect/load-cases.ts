import { typeMatcher } from '../../model/event-pattern.ts';
import { typesOf } from '../../model/expectation.ts';
import type { CaseEvent } from './case-event.ts';
import { casesOf } from './cases.ts';
import type { FreshEvents, KnownEvents } from './known-events.ts';
import { type Rule, rulesByType } from './rules.ts';

/** Events by join key. A key is asked for once, for all rules together: what several rules look at is read once. */
export interface EventsByKey {
  /** The events found so far. */
  found(): CaseEvent[];
  /** The events of the types that have one of the join keys, each once. */
  get(keys: readonly string[], types: readonly string[]): Promise<Iterable<CaseEvent>>;
}

/** So often the keys of what was found are looked for as well, for all rules at once; further ones are found case by case. */
const ROUNDS = 2;

/** Finds events up to `at` (epoch nanoseconds) of the types of these rules, those of the keys and of their cases at once. */
export async function readEvents(
  known: KnownEvents,
  rules: readonly Rule[],
  keys: Iterable<string>,
  at: bigint,
  fresh?: FreshEvents,
): Promise<EventsByKey> {
  const ask = known.asking({
    asOf: at,
    types: [...new Set(rules.flatMap(({ expectation }) => typesOf(expectation)))],
    keyTypes: [...new Set(rules.flatMap(({ expectation }) => expectation.by))],
    fresh,
  });
  const byKey = new Map<string, readonly CaseEvent[]>();
  async function read(asked: Iterable<string>): Promise<CaseEvent[]> {
    const missing = [...new Set(asked)].filter((key) => !byKey.has(key));
    if (missing.length === 0) return [];
    const found = await ask(missing);
    for (const [key, events] of found) byKey.set(key, events);
    return [...new Set([...found.values()].flat())];
  }
  const looking = rulesByType(rules.filter(({ expectation }) => !expectation.group));
  let found = await read(keys);
  for (let round = 0; round < ROUNDS && found.length > 0; round += 1)
    found = await read(found.flatMap((event) => looking(event.type).flatMap(({ keysOf }) => keysOf(event))));
  return {
    found: () => [...new Set([...byKey.values()].flat())],
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
  { expectation, keysOf }: Rule,
  keys: Iterable<string>,
): Promise<LoadedCases> {
  const known = new Set(keys);
  const loaded = new Set<CaseEvent>();
  let frontier = [...known];
  while (frontier.length > 0) {
    const fresh = new Set<string>();
    for (const event of await events.get(frontier, typesOf(expectation))) {
      loaded.add(event);
      for (const key of keysOf(event)) if (!known.has(key)) fresh.add(key);
    }
    for (const key of fresh) known.add(key);
    frontier = [...fresh];
  }
  return { cases: casesOf(expectation, loaded), keys: [...known] };
}

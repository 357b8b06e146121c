import { typesOf } from '../../model/expectation.ts';
import type { BatchSpan } from '../../store/clickhouse/finance-events.ts';
import type { CaseEvent } from './case-event.ts';
import { CaseGraph, joiningOf } from './case-graph.ts';
import type { KnownEvents } from './known-events.ts';
import type { Rule } from './rules.ts';
import type { NamedKeys } from './seen-keys.ts';
import type { TouchedPart } from './touched.ts';

/** So often the keys of what was found are looked for as well, for all rules at once; further ones are found case by case. */
const ROUNDS = 2;
/** Keys that are looked for while more of them are still gathered. */
const KEYS_AHEAD = 5_000;

/** The whole cases of a rule that are touched. */
export interface LoadedCases {
  readonly cases: readonly (readonly CaseEvent[])[];
  /** Of groups: the key of each. */
  readonly groups?: readonly string[] | undefined;
}

export interface CaseReadingOptions {
  /** Epoch nanoseconds: what happened later is not there. */
  readonly asOf: bigint;
  /** Batches of which every event is taken, and none is read. */
  readonly taken?: BatchSpan | undefined;
}

/** Reads the cases of rules: each join key is looked for once, for all rules together, and while further ones are wanted. */
export interface CaseReading {
  /** Takes an event that has just been read; its cases will be asked for when it is wanted. */
  take(event: CaseEvent, isWanted?: boolean): void;
  /** The cases of these keys will be asked for. */
  want(keys: Iterable<string>): void;
  /** Waits for what is wanted, and for what lies around it. */
  complete(): Promise<void>;
  /** The events that were taken, with their join keys. */
  readonly taken: readonly NamedKeys[];
  /** The events found so far. */
  found(): Iterable<CaseEvent>;
  /** The cases of a rule that the events and keys touch: what they join, directly or through others, until no key is new. */
  load(touched: Pick<TouchedPart, 'rule' | 'events' | 'keys'>): Promise<LoadedCases>;
}

/** Makes readings of the cases of these rules. */
export function createCaseReader(
  known: KnownEvents,
  rules: readonly Rule[],
): (options: CaseReadingOptions) => CaseReading {
  const joining = joiningOf(rules);
  const types = [
    ...new Set(rules.flatMap(({ expectation }) => (expectation.group ? [] : typesOf(expectation)))),
  ];
  return ({ asOf, taken }) => {
    const graph = new CaseGraph(joining);
    const reads = new Set<Promise<string[]>>();
    const takenKeys: NamedKeys[] = [];
    let wanted: string[] = [];

    /** Reads the events of the keys; returns the keys that they have as well. */
    function read(keys: readonly string[]): Promise<string[]> {
      const reading = (async () => {
        const around: string[] = [];
        for (const [name, event] of await known.find(keys, { asOf, types, except: taken }))
          around.push(...graph.add(name, event));
        graph.read(keys);
        return around;
      })();
      reads.add(reading);
      // Whoever waits for all of them is told.
      reading.catch(() => {});
      return reading;
    }
    function want(keys: Iterable<string>): void {
      wanted.push(...graph.take(keys));
      if (wanted.length < KEYS_AHEAD) return;
      void read(wanted);
      wanted = [];
    }

    return {
      take(event, isWanted = false) {
        const name = known.note(event);
        const keys = graph.add(name, event);
        takenKeys.push([name, keys]);
        if (isWanted) want(keys);
      },
      want,
      async complete() {
        void read(wanted);
        wanted = [];
        for (let round = 0; round <= ROUNDS && reads.size > 0; round += 1) {
          const around = (await Promise.all(reads)).flat();
          reads.clear();
          const further = round < ROUNDS ? graph.take(around) : [];
          if (further.length > 0) void read(further);
        }
      },
      taken: takenKeys,
      found: () => graph.events,
      async load({ rule, events, keys }) {
        for (;;) {
          const { cases, unread } = graph.walk(rule, events, keys);
          if (unread.length === 0) return { cases };
          await read(graph.take(unread));
        }
      },
    };
  };
}

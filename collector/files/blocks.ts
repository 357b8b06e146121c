import { type Arrival, createArrivalSums } from '../../store/postgres/sources.ts';
import type { Depot, Located, Sorted } from './depot.ts';
import type { NewEvent } from './item.ts';

/** A block is closed at so many rows, or characters of their text; both are the same for the same rows, as its token must be. */
const BLOCK = { rows: 20_000, characters: 32 << 20 };

/** Characters of the text of an event that its sender decides on. */
function charactersOf(event: NewEvent): number {
  let characters = event.subject.length + (event.partyKey?.length ?? 0) + (event.docNumber?.length ?? 0);
  for (const { value } of event.keys) characters += value.length;
  for (const name in event.attributes) characters += name.length + (event.attributes[name]?.length ?? 0);
  return characters + event.data.length;
}

export interface Blocks {
  /** Takes an event; true when a block was stored. */
  add(told: Located): Promise<boolean>;
  flush(): Promise<void>;
  counts(): { stored: number; known: number };
  /** What came, by source and company, known events included but not counted. */
  arrivals(): Iterable<Arrival>;
  lastEventAt(): bigint | undefined;
}

/** Gathers events in blocks and gives each to the depot; `refused` is told what the depot does not take. */
export function createBlocks(
  depot: Depot,
  refused: (faults: Sorted['refused']) => void,
  closeAt: { readonly rows: number; readonly characters: number } = BLOCK,
): Blocks {
  const arrivals = createArrivalSums();
  let block: Located[] = [];
  let characters = 0;
  let stored = 0;
  let known = 0;
  let last: bigint | undefined;

  async function flush(): Promise<void> {
    if (block.length === 0) return;
    const taken = block;
    block = [];
    characters = 0;
    const sorted = await depot.take(taken);
    known += sorted.known;
    stored += sorted.fresh.length;
    for (const { event } of sorted.fresh) arrivals.count(event);
    if (sorted.refused.length > 0) refused(sorted.refused);
  }

  return {
    async add(told) {
      if (!told.declares) arrivals.note(told.event, told.at);
      if (last === undefined || told.at > last) last = told.at;
      block.push(told);
      characters += charactersOf(told.event);
      if (block.length < closeAt.rows && characters < closeAt.characters) return false;
      await flush();
      return true;
    },
    flush,
    counts: () => ({ stored, known }),
    arrivals: arrivals.sums,
    lastEventAt: () => last,
  };
}

import { createHash } from 'node:crypto';
import { ClosewatchError } from '../../model/errors.ts';
import type { FinanceEvent } from '../../model/event.ts';
import { formatInstant, nanosOf } from '../../model/time.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import { closeOrphan, importToken } from '../../store/forwarder.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { confirmImportBatch, takeImportBatch } from '../../store/postgres/imports.ts';
import { type Arrival, createArrivalSums } from '../../store/postgres/sources.ts';

/** A block is closed at so many rows, or characters of their text; both are the same for the same rows, as its token must be. */
const BLOCK = { rows: 20_000, characters: 32 << 20 };

type NewEvent = Omit<FinanceEvent, 'batch' | 'receivedAt'>;

/** Characters of the text of an event that its sender decides on. */
function charactersOf(event: NewEvent): number {
  let characters = event.subject.length + (event.partyKey?.length ?? 0) + (event.docNumber?.length ?? 0);
  for (const { value } of event.keys) characters += value.length;
  for (const name in event.attributes) characters += name.length + (event.attributes[name]?.length ?? 0);
  return characters;
}

export interface Blocks {
  /** Takes an event whose time is `at` (epoch nanoseconds); true when a block was stored. */
  add(event: NewEvent, at: bigint): Promise<boolean>;
  flush(): Promise<void>;
  counts(): { stored: number; known: number };
  /** What came, by company, known events included but not counted. */
  arrivals(): Iterable<Arrival>;
  lastEventAt(): bigint | undefined;
}

/**
 * Stores events of one source in blocks, each under a batch number and a token of its ids. Events that the source had
 * when the import began are left out; of a source that had none nothing is asked.
 */
export async function createBlocks(deps: {
  readonly postgres: Postgres;
  readonly events: FinanceEventStore;
  readonly source: string;
  readonly now: () => Date;
  readonly closeAt?: { readonly rows: number; readonly characters: number };
}): Promise<Blocks> {
  const { postgres, events, source, now, closeAt = BLOCK } = deps;
  const isNew = !(await events.hasSource(source));
  const arrivals = createArrivalSums();
  let block: NewEvent[] = [];
  let characters = 0;
  let stored = 0;
  let known = 0;
  let last: bigint | undefined;

  async function flush(): Promise<void> {
    if (block.length === 0) return;
    const ids = isNew ? new Set<string>() : await events.knownIds(source, block);
    const fresh = block.filter((event) => !ids.has(event.id));
    known += block.length - fresh.length;
    block = [];
    characters = 0;
    if (fresh.length === 0) return;
    const batch = await takeImportBatch(postgres, { source, rows: fresh.length });
    try {
      await insert(fresh, batch);
    } catch (error) {
      // A batch that stays pending holds up the detection of every source.
      await closeOrphan({ postgres, events, now }, batch).catch(() => {});
      throw error;
    }
    stored += fresh.length;
    for (const event of fresh) arrivals.count(event);
  }

  async function insert(fresh: readonly NewEvent[], batch: bigint): Promise<void> {
    const receivedAt = formatInstant(nanosOf(now()));
    const hash = createHash('sha256');
    for (const event of fresh) hash.update(event.id);
    await events.insert(
      fresh.map((event) => ({ ...event, batch: `${batch}`, receivedAt })),
      importToken(hash.digest('hex')),
    );
    if (!(await confirmImportBatch(postgres, batch, now())))
      throw new ClosewatchError(
        'state.conflict',
        `another process has closed batch ${batch} of this import; run it again`,
      );
  }

  return {
    async add(event, at) {
      arrivals.note(event, at);
      if (last === undefined || at > last) last = at;
      block.push(event);
      characters += charactersOf(event);
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

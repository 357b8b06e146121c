import { createHash } from 'node:crypto';
import { ClosewatchError } from '../../model/errors.ts';
import { formatInstant, nanosOf } from '../../model/time.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import { closeOrphan, importToken, storeImported } from '../../store/forwarder.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import {
  acceptImported,
  confirmImportBatch,
  knownImported,
  takeImportBatch,
} from '../../store/postgres/imports.ts';
import type { BadReason, NewEvent, Told } from './item.ts';

/** An event of a block, and where it stands in the file. */
export interface Located extends Told {
  readonly where: string;
}

/** What became of the events of a block, each in one of the three. */
export interface Sorted {
  /** Stored now, or what would be in a run that stores nothing. */
  readonly fresh: readonly Located[];
  readonly known: number;
  readonly refused: readonly { readonly where: string; readonly reason: BadReason; readonly what: string }[];
}

/** Where the blocks of an import go. */
export interface Depot {
  /** Sorts a block and stores what is new of it; when it returns that is durable. */
  take(block: readonly Located[]): Promise<Sorted>;
}

export interface DepotDeps {
  readonly postgres: Postgres;
  readonly events: FinanceEventStore;
  readonly now: () => Date;
  /** Store nothing, only say what would be. */
  readonly isDry: boolean;
}

/** Stores a block of new events under a batch number and a token of its ids. */
async function storeBlock(
  { postgres, events, now }: DepotDeps,
  source: string,
  fresh: readonly NewEvent[],
): Promise<void> {
  if (fresh.length === 0) return;
  const batch = await takeImportBatch(postgres, { source, rows: fresh.length });
  try {
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
  } catch (error) {
    // A batch that stays pending holds up the detection of every source.
    await closeOrphan({ postgres, events, now }, batch).catch(() => {});
    throw error;
  }
}

/**
 * For the rows of a log, whose ids tell their number among those alike: events that the source has under the same subject
 * and time are known; of a source that had none when the import began nothing is asked.
 */
export async function createLogDepot(deps: DepotDeps, source: string): Promise<Depot> {
  const isNew = !(await deps.events.hasSource(source));
  return {
    async take(block) {
      const ids = isNew
        ? new Set<string>()
        : await deps.events.knownIds(
            source,
            block.map(({ event }) => event),
          );
      const fresh = block.filter(({ event }) => !ids.has(event.id));
      if (!deps.isDry)
        await storeBlock(
          deps,
          source,
          fresh.map(({ event }) => event),
        );
      return { fresh, known: block.length - fresh.length, refused: [] };
    },
  };
}

/**
 * For facts that several files tell, such as the lines of a bank account: an id is known whatever else an event says, also
 * when it was the same file that told it before.
 */
export function createFactDepot(deps: DepotDeps, source: string): Depot {
  return {
    async take(block) {
      const seen = new Set<string>();
      const first = block.filter(({ event }) => !seen.has(event.id) && seen.add(event.id));
      const ids = await deps.events.storedIds(
        source,
        first.map(({ event }) => event),
      );
      const fresh = first.filter(({ event }) => !ids.has(event.id));
      if (!deps.isDry)
        await storeBlock(
          deps,
          source,
          fresh.map(({ event }) => event),
        );
      return { fresh, known: block.length - fresh.length, refused: [] };
    },
  };
}

const REFUSALS = {
  conflict: { reason: 'conflict', what: 'id: an event with this id and another body was accepted before' },
  unstorable: { reason: 'invalid', what: 'the database cannot hold it' },
} as const;

/**
 * For events whose senders gave them their ids: what the inbox has, by whatever way it came, is known, and what comes here
 * first is known to it from now on. Like an event that is sent, a block is safe once the inbox has it.
 */
export function createInboxDepot(deps: DepotDeps, source: string): Depot {
  const { postgres, events, now, isDry } = deps;
  return {
    async take(block) {
      const items = block.map(({ event, bodyHash = '', declares }) => ({ event, bodyHash, declares }));
      const { results, batches } = isDry
        ? { results: await knownImported(postgres, items), batches: [] }
        : await acceptImported(postgres, { source, items, at: now() });
      for (const batch of batches) await storeImported({ postgres, events, now }, batch);
      return {
        fresh: block.filter((_, i) => results[i] === 'accepted'),
        known: results.filter((result) => result === 'known').length,
        refused: block.flatMap(({ where }, i) => {
          const result = results[i];
          return result === 'conflict' || result === 'unstorable' ? [{ where, ...REFUSALS[result] }] : [];
        }),
      };
    },
  };
}

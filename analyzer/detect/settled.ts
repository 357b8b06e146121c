import { setTimeout as sleep } from 'node:timers/promises';
import type { SourceStream } from '../../model/watermark.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import type { Inbox } from '../../store/postgres/inbox.ts';
import { listSources } from '../../store/postgres/sources.ts';

/** What a pass may rely on. */
export interface Settled {
  /** Every batch up to here is in ClickHouse. */
  readonly storedUpTo: bigint;
  /** The streams, when ClickHouse has everything that they vouch for; undefined when it is still behind them. */
  readonly streams: readonly SourceStream[] | undefined;
}

const STEP_MS = 50;

/**
 * The sources' streams together with the batches that carry what they vouch for. A watermark rises in PostgreSQL with the
 * acceptance of events, ClickHouse gets them a moment later: judged in between, an answer on its way would be missing. So
 * this waits, `patienceMs` at most, until every batch accepted before the streams were read is stored.
 */
export async function whenSettled(
  postgres: Pick<Postgres, 'db'>,
  inbox: Pick<Inbox, 'storedUpTo'>,
  patienceMs: number,
): Promise<Settled> {
  const streams = await listSources(postgres);
  const { newest } = await postgres.db
    .selectFrom('batches')
    .select(({ fn }) => fn.max('batch').as('newest'))
    .executeTakeFirstOrThrow();
  const accepted = BigInt(newest ?? 0);
  for (let waited = 0; ; waited += STEP_MS) {
    const storedUpTo = await inbox.storedUpTo();
    if (storedUpTo >= accepted) return { storedUpTo, streams };
    if (waited >= patienceMs) return { storedUpTo, streams: undefined };
    await sleep(STEP_MS);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import type { Postgres } from '../../store/postgres/database.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { endTurn, holdTurn, takeTurn } from '../../store/postgres/turns.ts';
import { withSpan } from '../../store/tracing.ts';

/** The right to judge: one pass has it at a time, over all processes that share the database. */
export interface Turn {
  /** One more than that of the turn before, whoever had it. */
  readonly token: bigint;
  /** Writes in one transaction that stands only while the turn is this one's; throws `Overtaken` when it is not. */
  write<T>(work: (trx: Transaction<Database>) => Promise<T>): Promise<T>;
}

/** Another pass has the turn: it could not be had, or was lost to one that took this pass for dead. */
export class Overtaken extends Error {}

const NAME = 'detect';
const WRITE = { 'db.system.name': 'postgresql', 'db.operation.name': 'detect.write' };
const STEP_MS = 50;
/** A sign of life between the writes: reading and judging may take longer than a turn is held. */
const SIGN_MS = 5_000;

/**
 * Does the work in a turn of its own, waiting `patienceMs` at most for the one before; throws `Overtaken` when it is not
 * over then. What the work read before the turn was lost is never written: another pass may have judged what came since.
 */
export async function inTurn<T>(
  { db }: Pick<Postgres, 'db'>,
  patienceMs: number,
  work: (turn: Turn) => Promise<T>,
): Promise<T> {
  const token = await taken();
  const signs = setInterval(() => void holdTurn(db, NAME, token).catch(() => {}), SIGN_MS);
  signs.unref();
  try {
    return await work({ token, write });
  } finally {
    clearInterval(signs);
    // Not given back it ends by itself, a little later; what the work says matters more.
    await endTurn(db, NAME, token).catch(() => {});
  }

  async function taken(): Promise<bigint> {
    for (let waited = 0; ; waited += STEP_MS) {
      const mine = await takeTurn(db, NAME);
      if (mine !== undefined) return mine;
      if (waited >= patienceMs) throw new Overtaken();
      await sleep(STEP_MS);
    }
  }

  function write<W>(written: (trx: Transaction<Database>) => Promise<W>): Promise<W> {
    return withSpan('detect.write', WRITE, () =>
      db.transaction().execute(async (trx) => {
        if (!(await holdTurn(trx, NAME, token))) throw new Overtaken();
        return await written(trx);
      }),
    );
  }
}

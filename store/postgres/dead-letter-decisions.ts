import { type Selectable, sql, type Transaction } from 'kysely';
import { ClosewatchError, type Problem } from '../../model/errors.ts';
import { appendChanges, type Change } from './change-log.ts';
import type { Postgres } from './database.ts';
import { problemsText } from './dead-letter-text.ts';
import type { Database, DeadLetterTable } from './schema.ts';

export interface Discard {
  readonly ids: readonly string[];
  readonly by: string;
  readonly reason: string;
  readonly at: Date;
}

const FACTS = ['id', 'source', 'company', 'state', 'reason_code', 'event_id'] as const;
type Letter = Pick<Selectable<DeadLetterTable>, (typeof FACTS)[number]>;

const changeOf = (
  letter: Letter,
  { change, state, by, at, reason }: { change: string; state: string; by: string; at: Date; reason: string },
): Change => ({
  entity: 'dead-letter',
  entityId: letter.id,
  company: letter.company ?? '',
  change,
  at,
  state,
  actor: by,
  data: { source: letter.source, eventId: letter.event_id, refused: letter.reason_code, reason },
});

/**
 * Settles open dead letters as not needed, all or none, and records who said so and why. Throws `not-found` when one does
 * not exist and `state.conflict` when one is settled already.
 */
export async function discardDeadLetters({ db }: Postgres, { ids, by, reason, at }: Discard): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const letters = await trx
      .selectFrom('dead_letters')
      .select(FACTS)
      .where('id', 'in', ids)
      .orderBy('id')
      .forUpdate()
      .execute();
    const missing = ids.find((id) => !letters.some((letter) => letter.id === id));
    if (missing !== undefined) throw new ClosewatchError('not-found', `there is no dead letter ${missing}`);
    const settled = letters.find(({ state }) => state !== 'open');
    if (settled)
      throw new ClosewatchError('state.conflict', `dead letter ${settled.id} is ${settled.state} already`);
    await trx
      .updateTable('dead_letters')
      .set({ state: 'discarded', decided_by: by, decided_at: at, decided_reason: reason })
      .where('id', 'in', ids)
      .execute();
    const decided = { change: 'discarded', state: 'discarded', by, at, reason };
    await appendChanges(
      trx,
      letters.map((letter) => changeOf(letter, decided)),
    );
  });
}

/** Those of the letters that are open, by id, held until the commit. */
export async function lockOpenLetters(
  trx: Transaction<Database>,
  ids: readonly string[],
): Promise<Map<string, Letter>> {
  if (ids.length === 0) return new Map();
  const letters = await trx
    .selectFrom('dead_letters')
    .select(FACTS)
    .where('id', 'in', ids)
    .where('state', '=', 'open')
    .orderBy('id')
    .forUpdate()
    .execute();
  return new Map(letters.map((letter) => [letter.id, letter]));
}

const REPLAYED = {
  accepted: 'accepted when it was replayed',
  known: 'accepted before, as the replay found',
  'sent-on': 'sent to ClickHouse again',
} as const;

/** Settles letters that are held open: their events stand. The event of a letter is the one of its source and id. */
export async function settleReplayed(
  trx: Transaction<Database>,
  letters: readonly Letter[],
  { result, by, at }: { result: keyof typeof REPLAYED; by: string; at: Date },
): Promise<void> {
  if (letters.length === 0) return;
  const reason = REPLAYED[result];
  await trx
    .updateTable('dead_letters')
    .set((set) => ({
      state: 'replayed',
      decided_by: by,
      decided_at: at,
      decided_reason: reason,
      tried: sql`${set.ref('tried')} + 1`,
      tried_at: at,
    }))
    .where(
      'id',
      'in',
      letters.map(({ id }) => id),
    )
    .execute();
  const decided = { change: 'replayed', state: 'replayed', by, at, reason };
  await appendChanges(
    trx,
    letters.map((letter) => changeOf(letter, decided)),
  );
}

/** Why a letter failed again. */
export interface FailedAgain {
  readonly letter: string;
  readonly reason: string;
  readonly problems: readonly Problem[];
}

/** Writes what was found wrong with open letters this time; they stay open. */
export async function noteFailedAgain(
  { db }: Postgres,
  failed: readonly FailedAgain[],
  { by, at }: { by: string; at: Date },
): Promise<void> {
  if (failed.length === 0) return;
  await db.transaction().execute(async (trx) => {
    const open = await lockOpenLetters(
      trx,
      failed.map(({ letter }) => letter),
    );
    const changes: Change[] = [];
    for (const { letter, reason, problems } of failed) {
      const known = open.get(letter);
      if (!known) continue;
      await trx
        .updateTable('dead_letters')
        .set((set) => ({
          reason_code: reason,
          problems: problemsText(problems),
          tried: sql`${set.ref('tried')} + 1`,
          tried_at: at,
        }))
        .where('id', '=', letter)
        .execute();
      changes.push(changeOf(known, { change: 'failed-again', state: 'open', by, at, reason }));
    }
    await appendChanges(trx, changes);
  });
}

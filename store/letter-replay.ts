import { ClosewatchError, type Problem } from '../model/errors.ts';
import { type EventRef, eventRefKey } from '../model/event.ts';
import { nanosOf } from '../model/time.ts';
import type { Counters } from './counters.ts';
import type { AcceptedEvent, AcceptResult } from './postgres/accepted.ts';
import type { Postgres } from './postgres/database.ts';
import { type FailedAgain, noteFailedAgain } from './postgres/dead-letter-decisions.ts';
import { type DeadLetterRow, findDeadLetters } from './postgres/dead-letter-queries.ts';
import type { Inbox } from './postgres/inbox.ts';
import { knownHashes } from './postgres/inbox-hashes.ts';
import { sendOn } from './postgres/inbox-replay.ts';

/** What a letter says under today's rules: an event, or why it is none. */
export type LetterJudge = (
  letter: { readonly sender: string; readonly body: string },
  now: bigint,
) =>
  | { readonly accepted: AcceptedEvent }
  | { readonly refused: string; readonly problems: readonly Problem[] };

/**
 * `accepted` now; `known`: the event was accepted before; `conflict`: another one with its id was; `refused`: not valid now
 * either; `settled` by somebody else; `sent-on`: to ClickHouse and detection again. After the first two and the last the
 * letter is settled.
 */
export const REPLAY_OUTCOMES = ['accepted', 'known', 'conflict', 'refused', 'settled', 'sent-on'] as const;
export type ReplayOutcome = (typeof REPLAY_OUTCOMES)[number];

export interface ReplayedLetter {
  readonly id: string;
  readonly outcome: ReplayOutcome;
  /** Why it stays open: as for letters. */
  readonly reason?: string | undefined;
  readonly problems: readonly Problem[];
}

export interface ReplayWish {
  readonly by: string;
  /** Only says what would become of them. */
  readonly dryRun?: boolean | undefined;
}

export interface LetterReplay {
  /**
   * Judges the bodies of these letters again and takes what is valid through the inbox, in the transaction that settles its
   * letter. Others stay open with what is wrong now. One outcome a letter, by number. Throws `not-found`.
   */
  replay(ids: readonly string[], wish: ReplayWish): Promise<ReplayedLetter[]>;
}

const problem = (what: string): readonly Problem[] => [{ where: '', what }];

/** Why a letter cannot be judged again, whatever the rules are today. */
function hindrance({ reason_code: reason, cut, body }: DeadLetterRow): readonly Problem[] | undefined {
  if (cut || body === null) return problem('its body was not kept whole: its sender must send it again');
  if (reason === 'unsigned')
    return problem('it was not signed: its sender must send it again, signed, or somebody else sent it');
  return undefined;
}

/** A letter that says an event, valid today. */
interface Valid {
  readonly letter: DeadLetterRow;
  readonly item: AcceptedEvent;
}

/** Letters by what there is to do with them, and what became of those that need nothing done. */
interface Sorted {
  readonly valid: readonly Valid[];
  /** Accepted before, and refused by ClickHouse. */
  readonly poison: readonly DeadLetterRow[];
  /** Not valid now either. */
  readonly failed: readonly FailedAgain[];
  readonly done: readonly ReplayedLetter[];
}

function sort(letters: readonly DeadLetterRow[], judge: LetterJudge, now: bigint): Sorted {
  const sorted = {
    valid: [] as Valid[],
    poison: [] as DeadLetterRow[],
    failed: [] as FailedAgain[],
    done: [] as ReplayedLetter[],
  };
  for (const letter of letters) {
    const { id, state, reason_code: reason, sender, source, body } = letter;
    const hindered = hindrance(letter);
    if (state !== 'open') sorted.done.push({ id, outcome: 'settled', problems: [] });
    else if (reason === 'poison') sorted.poison.push(letter);
    else if (hindered) sorted.done.push({ id, outcome: 'refused', reason, problems: hindered });
    else {
      const judged = judge({ sender: sender || source, body: body ?? '' }, now);
      if ('accepted' in judged) sorted.valid.push({ letter, item: judged.accepted });
      else sorted.failed.push({ letter: id, reason: judged.refused, problems: judged.problems });
    }
  }
  return sorted;
}

/** Why the inbox does not take an event that is valid. */
const REFUSALS: Readonly<Partial<Record<AcceptResult, Omit<FailedAgain, 'letter'>>>> = {
  conflict: {
    reason: 'conflict',
    problems: problem('an event with this id and another body was accepted before'),
  },
  unstorable: { reason: 'invalid', problems: problem('the database cannot hold it') },
};

const failedLetter = ({ letter, reason, problems }: FailedAgain): ReplayedLetter => ({
  id: letter,
  outcome: reason === 'conflict' ? 'conflict' : 'refused',
  reason,
  problems,
});

/** Replays dead letters. `judge` is the intake's. */
export function createLetterReplay(deps: {
  readonly postgres: Postgres;
  readonly inbox: Pick<Inbox, 'accept'>;
  readonly judge: LetterJudge;
  readonly counters?: Counters | undefined;
  readonly now?: () => Date;
}): LetterReplay {
  const { postgres, inbox, judge, counters, now = () => new Date() } = deps;

  async function foresee({ valid, poison, failed, done }: Sorted): Promise<ReplayedLetter[]> {
    const hashes = await knownHashes(
      postgres.db,
      valid.map(({ item }) => item.event),
    );
    const foreseen = valid.map(({ letter: { id }, item }): ReplayedLetter => {
      const known = hashes.get(eventRefKey(item.event));
      const refusal = known !== undefined && known !== item.bodyHash ? REFUSALS.conflict : undefined;
      if (refusal) return failedLetter({ letter: id, ...refusal });
      return { id, outcome: known === undefined ? 'accepted' : 'known', problems: [] };
    });
    const onward = poison.map(({ id }): ReplayedLetter => ({ id, outcome: 'sent-on', problems: [] }));
    return [...foreseen, ...onward, ...failed.map(failedLetter), ...done];
  }

  async function carryOut(
    { valid, poison, failed, done }: Sorted,
    { by, at }: { by: string; at: Date },
  ): Promise<ReplayedLetter[]> {
    const results = await inbox.accept(itemsOf(valid, by));
    const refused = [...failed];
    const taken: ReplayedLetter[] = [];
    for (const [i, { letter }] of valid.entries()) {
      const result = results[i] ?? 'settled';
      const refusal = REFUSALS[result];
      if (refusal) refused.push({ letter: letter.id, ...refusal });
      else if (result === 'accepted' || result === 'known' || result === 'settled')
        taken.push({ id: letter.id, outcome: result, problems: [] });
    }
    await noteFailedAgain(postgres, refused, { by, at });
    const refs = poison.map(refOf);
    const sent = new Set((await sendOn(postgres, refs, { by, at })).sent.map(eventRefKey));
    const onward = poison.map(
      (letter): ReplayedLetter => ({
        id: letter.id,
        outcome: sent.has(eventRefKey(refOf(letter))) ? 'sent-on' : 'settled',
        problems: [],
      }),
    );
    return [...taken, ...onward, ...refused.map(failedLetter), ...done];
  }

  return {
    async replay(ids, { by, dryRun = false }) {
      const at = now();
      const letters = await findDeadLetters(postgres, ids);
      const found = new Set(letters.map(({ id }) => id));
      const missing = ids.find((id) => !found.has(id));
      if (missing !== undefined) throw new ClosewatchError('not-found', `there is no dead letter ${missing}`);
      const sorted = sort(letters, judge, nanosOf(at));
      const outcomes = dryRun ? await foresee(sorted) : await carryOut(sorted, { by, at });
      if (!dryRun)
        for (const { outcome } of outcomes) counters?.add('closewatch_events_replayed', { outcome });
      return outcomes.sort((a, b) => Number(BigInt(a.id) - BigInt(b.id)));
    },
  };
}

const refOf = ({ source, event_id: id }: DeadLetterRow): EventRef => ({ source, id: id ?? '' });

/** For the inbox: each with its letter, and arrived when the newest of the letters of its source did. */
function itemsOf(valid: readonly Valid[], by: string): AcceptedEvent[] {
  const newest = new Map<string, Date>();
  for (const { letter, item } of valid) {
    const before = newest.get(item.event.source);
    if (!before || before < letter.received_at) newest.set(item.event.source, letter.received_at);
  }
  return valid.map(({ letter, item }) => ({
    ...item,
    replays: { letter: letter.id, by, receivedAt: newest.get(item.event.source) ?? letter.received_at },
  }));
}

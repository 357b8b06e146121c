import { sql } from 'kysely';
import { ClosewatchError, type Problem } from '../model/errors.ts';
import { nanosOf } from '../model/time.ts';
import type { Counters } from './counters.ts';
import type { AcceptedEvent } from './postgres/accepted.ts';
import type { Postgres } from './postgres/database.ts';
import { type FailedAgain, noteFailedAgain } from './postgres/dead-letter-decisions.ts';
import { type DeadLetterRow, findDeadLetters } from './postgres/dead-letter-queries.ts';
import type { Inbox } from './postgres/inbox.ts';
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
   * letter. Others stay open with what is wrong now. One outcome a letter, in the order of the ids. Throws `not-found`.
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

/** Replays dead letters. `judge` is the intake's. */
export function createLetterReplay(deps: {
  readonly postgres: Postgres;
  readonly inbox: Pick<Inbox, 'accept'>;
  readonly judge: LetterJudge;
  readonly counters?: Counters | undefined;
  readonly now?: () => Date;
}): LetterReplay {
  const { postgres, inbox, judge, counters, now = () => new Date() } = deps;

  async function replay(
    letters: readonly DeadLetterRow[],
    { by, dryRun }: ReplayWish,
  ): Promise<ReplayedLetter[]> {
    const at = now();
    const outcomes = new Map<string, ReplayedLetter>();
    const tell = (
      id: string,
      outcome: ReplayOutcome,
      problems: readonly Problem[] = [],
      reason?: string,
    ): void => void outcomes.set(id, { id, outcome, reason, problems });
    const failed: FailedAgain[] = [];
    const valid: { letter: DeadLetterRow; item: AcceptedEvent }[] = [];
    const poison: DeadLetterRow[] = [];
    for (const letter of letters) {
      const problems = hindrance(letter);
      if (letter.state !== 'open') tell(letter.id, 'settled');
      else if (letter.reason_code === 'poison') poison.push(letter);
      else if (problems) tell(letter.id, 'refused', problems, letter.reason_code);
      else {
        const judged = judge(
          { sender: letter.sender || letter.source, body: letter.body ?? '' },
          nanosOf(at),
        );
        if ('accepted' in judged) valid.push({ letter, item: judged.accepted });
        else {
          tell(letter.id, 'refused', judged.problems, judged.refused);
          failed.push({ letter: letter.id, reason: judged.refused, problems: judged.problems });
        }
      }
    }
    if (dryRun) {
      const hashes = await hashesOf(
        postgres,
        valid.map(({ item }) => item),
      );
      for (const { letter, item } of valid) {
        const known = hashes.get(`${item.event.source}\n${item.event.id}`);
        tell(letter.id, known === undefined ? 'accepted' : known === item.bodyHash ? 'known' : 'conflict');
      }
      for (const { id } of poison) tell(id, 'sent-on');
      return letters.map(({ id }) => outcomes.get(id) as ReplayedLetter);
    }
    const results = await inbox.accept(itemsOf(valid, by));
    for (const [i, { letter }] of valid.entries()) {
      const result = results[i] ?? 'settled';
      if (result === 'unstorable' || result === 'conflict') {
        const reason = result === 'conflict' ? 'conflict' : 'invalid';
        const problems = problem(
          result === 'conflict'
            ? 'an event with this id and another body was accepted before'
            : 'the database cannot hold it',
        );
        failed.push({ letter: letter.id, reason, problems });
        tell(letter.id, result === 'conflict' ? 'conflict' : 'refused', problems, reason);
      } else tell(letter.id, result);
    }
    await noteFailedAgain(postgres, failed, { by, at });
    if (poison.length > 0) {
      const refs = poison.map(({ source, event_id: id }) => ({ source, id: id ?? '' }));
      const { sent } = await sendOn(postgres, refs, { by, at });
      const isSent = new Set(sent.map(({ source, id }) => `${source}\n${id}`));
      for (const { id, source, event_id: event } of poison)
        tell(id, isSent.has(`${source}\n${event}`) ? 'sent-on' : 'settled');
    }
    for (const { outcome } of outcomes.values()) counters?.add('closewatch_events_replayed', { outcome });
    return letters.map(({ id }) => outcomes.get(id) as ReplayedLetter);
  }

  return {
    async replay(ids, wish) {
      const letters = await findDeadLetters(postgres, ids);
      const byId = new Map(letters.map((letter) => [letter.id, letter]));
      const missing = ids.find((id) => !byId.has(id));
      if (missing !== undefined) throw new ClosewatchError('not-found', `there is no dead letter ${missing}`);
      return await replay(
        [...new Set(ids)].map((id) => byId.get(id) as DeadLetterRow),
        wish,
      );
    },
  };
}

/** For the inbox: with its letter, and as arrived when the newest of the letters of its source did. */
function itemsOf(
  valid: readonly { letter: DeadLetterRow; item: AcceptedEvent }[],
  by: string,
): AcceptedEvent[] {
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

async function hashesOf({ db }: Postgres, items: readonly AcceptedEvent[]): Promise<Map<string, string>> {
  if (items.length === 0) return new Map();
  const asked = JSON.stringify(items.map(({ event: { source, id } }) => ({ source, id })));
  const { rows } = await sql<{ source: string; id: string; body_hash: string }>`
    SELECT source, id, body_hash FROM json_to_recordset(${asked}::json) AS asked (source text, id text)
    JOIN inbox USING (source, id)`.execute(db);
  return new Map(rows.map((row) => [`${row.source}\n${row.id}`, row.body_hash]));
}

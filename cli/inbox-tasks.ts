import { z } from 'zod';
import { letterJudge } from '../collector/cloudevents/letter.ts';
import { ClosewatchError, type Problem } from '../model/errors.ts';
import type { EventRef } from '../model/event.ts';
import { createLetterReplay, type ReplayedLetter } from '../store/letter-replay.ts';
import type { Page } from '../store/paging.ts';
import type { Postgres } from '../store/postgres/database.ts';
import { discardDeadLetters } from '../store/postgres/dead-letter-decisions.ts';
import {
  type DeadLetterFilter,
  type DeadLetterRow,
  deadLetterCursor,
  findDeadLetter,
  listDeadLetters,
} from '../store/postgres/dead-letter-queries.ts';
import { openInbox } from '../store/postgres/inbox.ts';
import {
  findInInbox,
  INBOX_STATES,
  type InboxRow,
  inboxCursor,
  listInbox,
} from '../store/postgres/inbox-queries.ts';
import { type SentOn, sendOn } from '../store/postgres/inbox-replay.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

export interface Letter {
  readonly id: string;
  readonly receivedAt: string;
  readonly source: string;
  readonly company: string | null;
  readonly type: string | null;
  readonly reason: string;
  readonly problems: readonly Problem[];
  readonly eventId: string | null;
  readonly state: DeadLetterRow['state'];
  readonly tried: number;
  readonly decidedBy: string | null;
  readonly decidedAt: string | null;
  readonly decidedReason: string | null;
}
export interface LetterWithBody extends Letter {
  readonly contentType: string | null;
  /** What was sent; `cut` when it is not all of it. */
  readonly body: string | null;
  readonly cut: boolean;
}
export type Accepted = Omit<InboxRow, 'receivedAt'> & { readonly receivedAt: string };

const letterOf = (row: DeadLetterRow): Letter => ({
  id: row.id,
  receivedAt: row.received_at.toISOString(),
  source: row.source,
  company: row.company,
  type: row.event_type,
  reason: row.reason_code,
  problems: row.problems,
  eventId: row.event_id,
  state: row.state,
  tried: row.tried,
  decidedBy: row.decided_by,
  decidedAt: row.decided_at?.toISOString() ?? null,
  decidedReason: row.decided_reason,
});
const acceptedOf = <T extends InboxRow>(row: T) => ({ ...row, receivedAt: row.receivedAt.toISOString() });

export const letterId = z.string().regex(/^[1-9]\d{0,17}$/, 'the number of a dead letter, as list shows it');
const by = z.string().max(256);
const limit = z.int().min(1).max(10_000);
const filter = z.strictObject({
  company: z.string().min(1).optional(),
  source: z.string().min(1).optional(),
  type: z.string().min(1).optional(),
  since: z.iso.datetime().optional(),
});
const letterFilter = filter.extend({ refused: z.string().min(1).optional() });
const letterState = z.enum(['open', 'replayed', 'discarded']);
const eventRef = z.strictObject({ source: z.string().min(1), id: z.string().min(1) });

const listArgs = letterFilter.extend({ state: letterState, limit });
const listEventsArgs = filter.extend({ state: z.enum(INBOX_STATES).optional(), limit });
/** Which open letters: these, or those of a filter. */
const selection = z.union([
  z.strictObject({ ids: z.array(letterId).min(1).max(10_000) }),
  z.strictObject({ filter: letterFilter, limit }),
]);
export type Selection = z.infer<typeof selection>;
const discardArgs = z.strictObject({
  which: selection,
  reason: z.string().trim().min(1, 'say why').max(2_000),
  dryRun: z.boolean(),
  by,
});
const replayArgs = z.strictObject({ which: selection, dryRun: z.boolean(), by });
const sendOnArgs = z.strictObject({
  which: z.union([
    z.strictObject({ event: eventRef }),
    z.strictObject({ filter: filter.extend({ state: z.enum(INBOX_STATES).optional() }), limit }),
  ]),
  dryRun: z.boolean(),
  by,
});

const PAGE = 500;

const lettersFilter = (
  { refused, since, ...more }: z.infer<typeof letterFilter>,
  state: DeadLetterRow['state'],
): DeadLetterFilter => ({
  ...more,
  companies: '*',
  states: [state],
  reason: refused,
  since: since === undefined ? undefined : new Date(since),
});

/** The rows of a list, page by page, `limit` at most. */
async function* pagesOf<T>(
  list: (page: Page) => Promise<T[]>,
  cursorOf: (row: T) => string,
  most: number,
): AsyncGenerator<T[]> {
  let after: string | undefined;
  for (let left = most; left > 0; ) {
    const rows = await list({ limit: Math.min(PAGE, left), after });
    const last = rows.at(-1);
    if (!last) return;
    yield rows;
    left -= rows.length;
    after = cursorOf(last);
  }
}

async function* idsOf(postgres: Postgres, which: Selection): AsyncGenerator<string[]> {
  if ('ids' in which) {
    const ids = [...new Set(which.ids)];
    for (let at = 0; at < ids.length; at += PAGE) yield ids.slice(at, at + PAGE);
    return;
  }
  const list = (page: Page) => listDeadLetters(postgres, lettersFilter(which.filter, 'open'), page);
  for await (const rows of pagesOf(list, deadLetterCursor, which.limit)) yield rows.map(({ id }) => id);
}

export const listDeadLettersTask: Task<Stores, z.infer<typeof listArgs>, never, Letter[]> = {
  name: 'dead-letter-list',
  args: listArgs,
  async run({ postgres }, { state, limit: most, ...given }) {
    const rows = await listDeadLetters(postgres, lettersFilter(given, state), { limit: most });
    return rows.map(letterOf);
  },
};

export const showDeadLetterTask: Task<Stores, { id: string }, never, LetterWithBody> = {
  name: 'dead-letter-show',
  args: z.strictObject({ id: letterId }),
  async run({ postgres }, { id }) {
    const row = await findDeadLetter(postgres, id);
    if (!row) throw new ClosewatchError('not-found', `there is no dead letter ${id}`);
    return { ...letterOf(row), contentType: row.content_type, body: row.body, cut: row.cut };
  },
};

export const discardDeadLettersTask: Task<
  Stores,
  z.infer<typeof discardArgs>,
  never,
  { discarded: readonly string[] }
> = {
  name: 'dead-letter-discard',
  args: discardArgs,
  async run({ postgres }, { which, reason, dryRun, by: who }) {
    const discarded: string[] = [];
    for await (const ids of idsOf(postgres, which)) {
      if (!dryRun) await discardDeadLetters(postgres, { ids, reason, by: who, at: new Date() });
      discarded.push(...ids);
    }
    return { discarded };
  },
};

export const replayDeadLettersTask: Task<
  Stores,
  z.infer<typeof replayArgs>,
  number,
  { replayed: readonly ReplayedLetter[] }
> = {
  name: 'dead-letter-replay',
  args: replayArgs,
  async run({ postgres, counters }, { which, dryRun, by: who }, report) {
    const inbox = openInbox(postgres);
    const letters = createLetterReplay({ postgres, inbox, judge: letterJudge(), counters });
    const replayed: ReplayedLetter[] = [];
    for await (const ids of idsOf(postgres, which)) {
      replayed.push(...(await letters.replay(ids, { by: who, dryRun })));
      report(replayed.length);
    }
    return { replayed };
  },
};

export const listEventsTask: Task<Stores, z.infer<typeof listEventsArgs>, never, Accepted[]> = {
  name: 'inbox-list',
  args: listEventsArgs,
  async run({ postgres }, { state, since, limit: most, ...given }) {
    const rows = await listInbox(
      postgres,
      { ...given, companies: '*', states: state && [state], since: since ? new Date(since) : undefined },
      { limit: most },
    );
    return rows.map(acceptedOf);
  },
};

export const showEventTask: Task<Stores, EventRef, never, Accepted & { payload: unknown }> = {
  name: 'inbox-show',
  args: eventRef,
  async run({ postgres }, ref) {
    const row = await findInInbox(postgres, ref);
    if (!row) throw new ClosewatchError('not-found', `no event ${ref.id} of ${ref.source} was accepted`);
    return acceptedOf(row);
  },
};

export const sendOnTask: Task<Stores, z.infer<typeof sendOnArgs>, number, SentOn> = {
  name: 'inbox-replay',
  args: sendOnArgs,
  async run({ postgres, counters }, { which, dryRun, by: who }, report) {
    const done = { sent: [] as EventRef[], pending: [] as EventRef[], gone: [] as EventRef[] };
    for await (const rows of rowsOf()) {
      const some = dryRun ? foreseen(rows) : await sendOn(postgres, rows, { by: who, at: new Date() });
      done.sent.push(...some.sent);
      done.pending.push(...some.pending);
      done.gone.push(...some.gone);
      if (!dryRun) counters.add('closewatch_events_replayed', { outcome: 'sent-on' }, some.sent.length);
      report(done.sent.length);
    }
    return done;

    async function* rowsOf(): AsyncGenerator<InboxRow[]> {
      if ('event' in which) {
        const row = await findInInbox(postgres, which.event);
        if (!row)
          throw new ClosewatchError(
            'not-found',
            `no event ${which.event.id} of ${which.event.source} was accepted`,
          );
        yield [row];
        return;
      }
      const { state, since, ...given } = which.filter;
      const asked = {
        ...given,
        companies: '*' as const,
        states: state && [state],
        since: since ? new Date(since) : undefined,
      };
      yield* pagesOf((page) => listInbox(postgres, asked, page), inboxCursor, which.limit);
    }
  },
};

function foreseen(rows: readonly InboxRow[]): SentOn {
  const refs = (some: readonly InboxRow[]): EventRef[] => some.map(({ source, id }) => ({ source, id }));
  const still = rows.filter(({ state }) => state !== 'pending');
  return {
    sent: refs(still.filter(({ hasPayload }) => hasPayload)),
    pending: refs(rows.filter(({ state }) => state === 'pending')),
    gone: refs(still.filter(({ hasPayload }) => !hasPayload)),
  };
}

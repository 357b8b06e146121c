import { type Expression, type SqlBool, sql } from 'kysely';
import type { CompanyScope } from '../../model/principal.ts';
import { decodeCursor, encodeCursor, type Page } from '../paging.ts';
import type { AcceptedEvent } from './accepted.ts';
import type { Postgres } from './database.ts';
import { isOrLiesBelow } from './source-path.ts';

/**
 * `pending`: accepted, on its way to ClickHouse; `stored`: there; `dead`: ClickHouse refuses it, set aside as a dead letter;
 * `replayed`: there, and taken through again by a person.
 */
export const INBOX_STATES = ['pending', 'stored', 'dead', 'replayed'] as const;
export type InboxState = (typeof INBOX_STATES)[number];

/** An accepted event and how it stands. */
export interface InboxRow {
  readonly source: string;
  readonly id: string;
  readonly state: InboxState;
  /** Why it is dead. */
  readonly reason: string | null;
  readonly company: string;
  readonly type: string;
  readonly batch: string;
  readonly replayBatch: string | null;
  readonly receivedAt: Date;
  readonly hasPayload: boolean;
}

export interface InboxFilter {
  readonly companies: CompanyScope;
  readonly company?: string | undefined;
  readonly states?: readonly InboxState[] | undefined;
  /** A source, and those below it. */
  readonly source?: string | undefined;
  readonly type?: string | undefined;
  readonly since?: Date | undefined;
}

const IN_STATE: Record<InboxState, Expression<SqlBool>> = {
  pending: sql<boolean>`inbox.state <> 'dead' AND (taken.state = 'pending' OR again.state = 'pending')`,
  stored: sql<boolean>`inbox.state <> 'dead' AND taken.state = 'stored' AND again.batch IS NULL`,
  dead: sql<boolean>`inbox.state = 'dead'`,
  replayed: sql<boolean>`inbox.state <> 'dead' AND taken.state = 'stored' AND again.state = 'stored'`,
};

/** The state of a row of `inbox` beside its batches `taken` and `again`. */
const STATE = sql<InboxState>`CASE WHEN inbox.state = 'dead' THEN 'dead'
  WHEN taken.state = 'pending' OR again.state = 'pending' THEN 'pending'
  WHEN again.state = 'stored' THEN 'replayed' ELSE 'stored' END`;

const rowsOf = ({ db }: Postgres) =>
  db
    .selectFrom('inbox')
    .innerJoin('batches as taken', 'taken.batch', 'inbox.batch')
    .leftJoin('batches as again', 'again.batch', 'inbox.replay_batch')
    .select([
      'inbox.source',
      'inbox.id',
      'inbox.reason',
      'inbox.company',
      'inbox.type',
      'taken.batch',
      'again.batch as replayBatch',
      'inbox.received_at as receivedAt',
    ])
    .select([STATE.as('state'), sql<boolean>`inbox.body IS NOT NULL`.as('hasPayload')]);

/** Accepted events, the newest batch first. */
export async function listInbox(
  postgres: Postgres,
  { companies, company, states, source, type, since }: InboxFilter,
  page: Page,
): Promise<InboxRow[]> {
  const after = decodeCursor(page.after, [/^\d{1,18}$/, /^/, /^/]);
  let query = rowsOf(postgres);
  if (companies !== '*') query = query.where('inbox.company', 'in', companies);
  if (company !== undefined) query = query.where('inbox.company', '=', company);
  if (states?.length) query = query.where((eb) => eb.or(states.map((state) => IN_STATE[state])));
  if (source !== undefined) query = query.where(isOrLiesBelow('inbox.source', source));
  if (type !== undefined) query = query.where('inbox.type', '=', type);
  if (since !== undefined) query = query.where('inbox.received_at', '>=', since);
  if (after)
    query = query.where(
      sql<boolean>`(inbox.batch, inbox.source, inbox.id) < (${after[0]}::bigint, ${after[1]}, ${after[2]})`,
    );
  return await query
    .orderBy('inbox.batch', 'desc')
    .orderBy('inbox.source', 'desc')
    .orderBy('inbox.id', 'desc')
    .limit(page.limit)
    .execute();
}

export const inboxCursor = ({ batch, source, id }: InboxRow): string => encodeCursor([batch, source, id]);

/** The accepted event, with its payload while it is kept; undefined when there is none. */
export async function findInInbox(
  postgres: Postgres,
  { source, id }: { readonly source: string; readonly id: string },
): Promise<(InboxRow & { readonly payload: AcceptedEvent['event'] | null }) | undefined> {
  const row = await rowsOf(postgres)
    .select('inbox.body')
    .where('inbox.source', '=', source)
    .where('inbox.id', '=', id)
    .executeTakeFirst();
  if (!row) return undefined;
  const { body, ...facts } = row;
  return { ...facts, payload: body as AcceptedEvent['event'] | null };
}

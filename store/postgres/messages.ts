import { randomUUID } from 'node:crypto';
import { type ExpressionBuilder, type Selectable, sql } from 'kysely';
import { dateOf } from '../../model/time.ts';
import { type AssessmentRow, latestAssessment } from './assessments.ts';
import type { Postgres } from './database.ts';
import type { IncidentRow } from './incidents.ts';
import type { Database, MessageTable } from './schema.ts';
import { notSilenced } from './silences.ts';

export type MessageRow = Selectable<MessageTable>;

/** A message that is being delivered. */
export interface ClaimedMessage extends MessageRow {
  /** Is its incident resolved? */
  readonly resolved: boolean;
}

/** An incident as a message tells it. */
export interface IncidentNews {
  readonly incident: IncidentRow;
  readonly assessment: AssessmentRow | undefined;
  /** The name of who acknowledged it. */
  readonly acknowledgedBy: string | undefined;
  /** The number of the incident that it recurs. */
  readonly recurrenceOf: string | undefined;
  /** The channels in which Slack has a message of it. */
  readonly toldIn: readonly string[];
}

/** Incidents that changed since their messages were made, the gravest first. */
export async function incidentsToRoute(postgres: Postgres, limit: number, at: Date): Promise<IncidentNews[]> {
  const incidents = await postgres.db
    .selectFrom('incidents as i')
    .leftJoin('principals as p', 'p.id', 'i.acknowledged_by')
    .leftJoin('incidents as r', 'r.id', 'i.recurrence_of')
    .selectAll('i')
    .select(['p.name as by', 'r.number as recurs'])
    .select((eb) =>
      eb
        .selectFrom('messages as m')
        .select(sql<string[]>`coalesce(array_agg(m.channel ORDER BY m.channel), '{}')`.as('channels'))
        .whereRef('m.incident', '=', 'i.id')
        .where('m.ts', 'is not', null)
        .as('channels'),
    )
    .whereRef('i.routed_version', '<', 'i.version')
    .where(notSilenced(at))
    .orderBy(sql`array_position(ARRAY['critical','high','medium','low','info'], i.severity)`)
    .orderBy('i.opened_at')
    .limit(limit)
    .execute();
  const news: IncidentNews[] = [];
  for (const { by, recurs, channels, ...incident } of incidents) {
    news.push({
      incident,
      assessment: await latestAssessment(postgres, incident.id),
      acknowledgedBy: by ?? incident.acknowledged_by ?? undefined,
      recurrenceOf: recurs ?? undefined,
      toldIn: channels ?? [],
    });
  }
  return news;
}

export interface RenderedMessage {
  readonly channel: string;
  readonly kind: string;
  readonly blocks: readonly object[];
  readonly text: string;
  readonly contentHash: string;
}

/**
 * Puts the incident's messages and notes up to which version they tell. A message whose content is the same stays as it
 * is; a changed one waits for delivery, or, without a way to deliver, in the outbox.
 */
export async function putMessages(
  postgres: Postgres,
  incident: IncidentRow,
  messages: readonly RenderedMessage[],
  how: { now: bigint; outbox: boolean },
): Promise<number> {
  const at = dateOf(how.now);
  const state = how.outbox ? 'outbox' : 'pending';
  return await postgres.db.transaction().execute(async (trx) => {
    let changed = 0;
    for (const { channel, kind, blocks, text, contentHash } of messages) {
      const content = { blocks: JSON.stringify(blocks), text, content_hash: contentHash, updated_at: at };
      const result = await trx
        .insertInto('messages')
        .values({ id: randomUUID(), incident: incident.id, channel, kind, state, created_at: at, ...content })
        .onConflict((conflict) =>
          conflict
            .columns(['incident', 'channel', 'kind'])
            .doUpdateSet({ ...content, state, attempts: 0, next_attempt_at: null })
            .where('messages.content_hash', '<>', contentHash),
        )
        .executeTakeFirst();
      changed += Number(result.numInsertedOrUpdatedRows ?? 0);
    }
    await trx
      .updateTable('incidents')
      .set({ routed_version: incident.version })
      .where('id', '=', incident.id)
      .where('routed_version', '<', incident.version)
      .execute();
    return changed;
  });
}

/** The channels for which a message is due. */
export async function channelsDue(postgres: Postgres, now: bigint): Promise<string[]> {
  const rows = await postgres.db
    .selectFrom('messages')
    .select('channel')
    .distinct()
    .where('state', '=', 'pending')
    .where(isDue(dateOf(now)))
    .orderBy('channel')
    .execute();
  return rows.map(({ channel }) => channel);
}

const isDue = (at: Date) => (due: ExpressionBuilder<Database, 'messages'>) =>
  due.or([due('next_attempt_at', 'is', null), due('next_attempt_at', '<=', at)]);

/**
 * Takes the next message that is due in the channel for `leaseMs`: nobody else takes it before. What is not resolved goes
 * first, in it what nobody was told yet, then the gravest, then the longest waiting: no backlog holds up bad news.
 * Undefined when none is due.
 */
export async function claimMessage(
  postgres: Postgres,
  channel: string,
  now: bigint,
  leaseMs: number,
): Promise<ClaimedMessage | undefined> {
  const at = dateOf(now);
  return await postgres.db
    .updateTable('messages')
    .set((row) => ({
      attempts: row('attempts', '+', 1),
      next_attempt_at: new Date(at.getTime() + leaseMs),
    }))
    .where('id', '=', (messages) =>
      messages
        .selectFrom('messages')
        .leftJoin('incidents as i', 'i.id', 'messages.incident')
        .select('messages.id')
        .where('messages.channel', '=', channel)
        .where('messages.state', '=', 'pending')
        .where(isDue(at))
        .orderBy(sql`i.state IS NOT DISTINCT FROM 'resolved'`)
        .orderBy(sql`messages.ts IS NOT NULL`)
        .orderBy('i.rank', (rank) => rank.desc().nullsLast())
        .orderBy('messages.updated_at')
        .orderBy('messages.id')
        .limit(1)
        .forUpdate('messages')
        .skipLocked(),
    )
    .returningAll()
    .returning(
      sql<boolean>`EXISTS (SELECT FROM closewatch.incidents i WHERE i.id = messages.incident AND i.state = 'resolved')`.as(
        'resolved',
      ),
    )
    .executeTakeFirst();
}

/** Notes, before a message is first posted, that from now on it is unknown whether Slack has it. */
export async function notePosting(postgres: Postgres, id: string, now: bigint): Promise<void> {
  await postgres.db
    .updateTable('messages')
    .set({ posting_since: dateOf(now) })
    .where('id', '=', id)
    .execute();
}

/** Notes what became of a delivery. `content` is the hash of what was sent: meanwhile changed, it is due again at once. */
export async function noteDelivered(
  postgres: Postgres,
  message: Pick<MessageRow, 'id' | 'content_hash'>,
  ts: string,
): Promise<void> {
  await postgres.db
    .updateTable('messages')
    .set({
      ts,
      attempts: 0,
      last_error: null,
      next_attempt_at: null,
      posting_since: null,
      state: sql`CASE WHEN content_hash = ${message.content_hash} THEN 'sent' ELSE 'pending' END`,
    })
    .where('id', '=', message.id)
    .execute();
}

/**
 * Notes a failed delivery: to be tried again at `retryAt`, or never before the content changes. It may have changed
 * meanwhile: then what was never sent has not failed, and is due at once.
 */
export async function noteFailed(
  postgres: Postgres,
  message: Pick<MessageRow, 'id' | 'content_hash'>,
  failure: {
    error: string;
    retryAt: Date | undefined;
    /** It is unknown whether Slack has the message. */
    unknown: boolean;
    /** Slack no longer has it: it will be posted anew. */
    gone: boolean;
  },
): Promise<void> {
  await postgres.db
    .updateTable('messages')
    .set({
      state: failure.retryAt
        ? 'pending'
        : sql`CASE WHEN content_hash = ${message.content_hash} THEN 'failed' ELSE 'pending' END`,
      last_error: failure.error.slice(0, 300),
      next_attempt_at: failure.retryAt ?? null,
      ...(!failure.unknown && { posting_since: null }),
      ...(failure.gone && { ts: null }),
    })
    .where('id', '=', message.id)
    .execute();
}

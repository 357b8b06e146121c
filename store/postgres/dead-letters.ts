import { sql, type Transaction } from 'kysely';
import type { Problem } from '../../model/errors.ts';
import type { Postgres } from './database.ts';
import { capped, problemsText } from './dead-letter-text.ts';
import type { Database } from './schema.ts';

/** An event that was refused: why, and its body as far as it may be kept. Never a header, so never a token. */
export interface DeadLetter {
  readonly source: string;
  /** The company that the event names; a request that is refused as a whole has none. */
  readonly company?: string | undefined;
  /** A word of a closed set: `invalid`, `unknown-version`, `conflict`, `source-denied`, `malformed` … */
  readonly reason: string;
  readonly problems: readonly Problem[];
  readonly contentType?: string | undefined;
  readonly eventId?: string | undefined;
  /** The short type that it names, `bill.posted`, when it names one. */
  readonly eventType?: string | undefined;
  readonly body: string;
  /** Is it only the beginning of it? */
  readonly cut?: boolean | undefined;
}

/** What is kept of a body that is not kept whole. */
const CUT_BYTES = 64 * 1024;
/** Of a source, an id: both stand in an index, whose rows may have 2,704 bytes. */
const MAX_NAME_BYTES = 1024;
/** Open letters of one sender at most, and bytes of their bodies before the next ones are cut: a broken one cannot fill the disk. */
const LIMITS = { letters: 10_000, bytes: 256 << 20, bodyBytes: 1 << 20 };

const cappedName = (name: string): string => capped(name, MAX_NAME_BYTES);
const nameOrNull = (name: string | undefined): string | null =>
  name === undefined ? null : cappedName(name);

/**
 * Keeps events refused of a sender, named by what its token speaks for, in one statement, and returns how many: of a sender
 * that has 10,000 open ones already no more are kept. A body is kept whole up to 1 MiB (`bodyBytes`) while the sender's open
 * ones have less than 256 MiB together; else it is cut to 64 KiB, and cannot be judged again.
 */
export async function keepDeadLetters(
  { db }: Pick<Postgres, 'db'>,
  sender: string,
  letters: readonly DeadLetter[],
  limits: Partial<typeof LIMITS> = {},
): Promise<number> {
  const most = { ...LIMITS, ...limits };
  const name = cappedName(sender);
  const open = await openLetters();
  let bytes = open.bytes;
  const values = letters.slice(0, Math.max(0, most.letters - open.letters)).map((letter) => {
    const size = Buffer.byteLength(letter.body);
    const isWhole = size <= CUT_BYTES || (size <= most.bodyBytes && bytes + size <= most.bytes);
    bytes += isWhole ? size : CUT_BYTES;
    return {
      sender: name,
      source: cappedName(letter.source),
      company: nameOrNull(letter.company),
      reason_code: letter.reason,
      problems: problemsText(letter.problems),
      content_type: letter.contentType ?? null,
      event_id: nameOrNull(letter.eventId),
      event_type: nameOrNull(letter.eventType),
      body: capped(letter.body, isWhole ? size : CUT_BYTES),
      cut: letter.cut === true || !isWhole,
    };
  });
  if (values.length > 0) await db.insertInto('dead_letters').values(values).execute();
  return values.length;

  /** Those of the sender, counted no further than it matters. */
  async function openLetters(): Promise<{ letters: number; bytes: number }> {
    const { rows } = await sql<{ letters: string; bytes: string }>`
      SELECT count(*) AS letters, coalesce(sum(bytes), 0) AS bytes FROM (
        SELECT octet_length(body) AS bytes FROM dead_letters
        WHERE sender = ${name} AND state = 'open' LIMIT ${most.letters}) AS letters`.execute(db);
    return { letters: Number(rows[0]?.letters ?? 0), bytes: Number(rows[0]?.bytes ?? 0) };
  }
}

/** Settles the open letters of events that were accepted at `at` after all: their senders have mended them. */
export async function settleDeadLetters(
  trx: Transaction<Database>,
  events: readonly { readonly source: string; readonly id: string }[],
  at: Date,
): Promise<void> {
  if (events.length === 0) return;
  // OFFSET 0 has each event looked up in the index: planned as a join, every open letter would be read for it.
  await sql`UPDATE dead_letters
    SET state = 'replayed', decided_at = ${at}::timestamptz, decided_reason = 'the event was accepted later'
    WHERE id = ANY(ARRAY(
      SELECT letter.id
      FROM unnest(${events.map(({ source }) => source)}::text[], ${events.map(({ id }) => id)}::text[])
        AS given (source, event_id),
        LATERAL (SELECT id FROM dead_letters AS open WHERE open.state = 'open' AND open.source = given.source
          AND open.event_id = given.event_id OFFSET 0) AS letter
      WHERE EXISTS (SELECT FROM dead_letters WHERE state = 'open' AND event_id IS NOT NULL)))`.execute(trx);
}

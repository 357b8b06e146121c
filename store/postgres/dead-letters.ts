import { sql, type Transaction } from 'kysely';
import type { Problem } from '../../model/errors.ts';
import type { Postgres } from './database.ts';
import type { Database } from './schema.ts';

/** An event that was refused: why, and its body as far as it may be kept. Never a header, so never a token. */
export interface DeadLetter {
  readonly source: string;
  /** The company that the event names; a request that is refused as a whole has none. */
  readonly company?: string | undefined;
  /** A word of a closed set: `invalid`, `conflict`, `source-denied`, `malformed` … */
  readonly reason: string;
  readonly problems: readonly Problem[];
  readonly contentType?: string | undefined;
  readonly eventId?: string | undefined;
  readonly body: string;
}

const MAX_BODY_BYTES = 64 * 1024;
/** Of a source, an id: both stand in an index, whose rows may have 2,704 bytes. */
const MAX_NAME_BYTES = 1024;
/** Open letters of one sender at most, so that a broken one cannot fill the disk. */
const MAX_OPEN = 10_000;

/** The text as PostgreSQL takes it: without NUL and halves of surrogate pairs. */
const storable = (text: string): string => text.replaceAll('\0', '\ufffd').toWellFormed();

/** The text cut to at most so many bytes of UTF-8, never inside a character, and storable. */
function capped(text: string, maxBytes: number): string {
  const clean = storable(text);
  if (clean.length * 3 <= maxBytes) return clean;
  const bytes = Buffer.from(clean);
  if (bytes.length <= maxBytes) return clean;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

const cappedName = (name: string): string => capped(name, MAX_NAME_BYTES);

/**
 * Keeps events refused of a sender, named by what its token speaks for, in one statement, bodies cut to 64 KiB, and
 * returns how many: of a sender that has 10,000 open ones already (`maxOpen`) no more are kept.
 */
export async function keepDeadLetters(
  { db }: Pick<Postgres, 'db'>,
  sender: string,
  letters: readonly DeadLetter[],
  maxOpen = MAX_OPEN,
): Promise<number> {
  const name = cappedName(sender);
  const values = letters.slice(0, maxOpen - (await openLetters())).map((letter) => {
    const problems = letter.problems
      .slice(0, 50)
      .map(({ where, what }) => ({ where: storable(where), what: storable(what) }));
    return {
      sender: name,
      source: cappedName(letter.source),
      company: letter.company === undefined ? null : cappedName(letter.company),
      reason_code: letter.reason,
      problems: JSON.stringify(problems),
      content_type: letter.contentType ?? null,
      event_id: letter.eventId === undefined ? null : cappedName(letter.eventId),
      body: capped(letter.body, MAX_BODY_BYTES),
    };
  });
  if (values.length > 0) await db.insertInto('dead_letters').values(values).execute();
  return values.length;

  /** Those of the sender, counted no further than it matters. */
  async function openLetters(): Promise<number> {
    const { rows } = await sql<{ open: string }>`SELECT count(*) AS open FROM (
      SELECT FROM dead_letters WHERE sender = ${name} AND state = 'open' LIMIT ${maxOpen}) AS letters`.execute(
      db,
    );
    return Number(rows[0]?.open ?? 0);
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

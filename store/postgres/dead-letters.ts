import type { Problem } from '../../model/errors.ts';
import type { Postgres } from './database.ts';

/** An event that was refused: why, and its body as far as it may be kept. Never a header, so never a token. */
export interface DeadLetter {
  readonly source: string;
  /** A word of a closed set: `invalid`, `conflict`, `source-denied`, `malformed` … */
  readonly reason: string;
  readonly problems: readonly Problem[];
  readonly contentType?: string | undefined;
  readonly eventId?: string | undefined;
  readonly body: string;
}

const MAX_BODY_BYTES = 64 * 1024;

/** The text cut to at most 64 KiB of UTF-8, never inside a character; without NUL, which PostgreSQL does not store. */
export function cappedBody(body: string): string {
  const clean = body.replaceAll('\0', '\ufffd');
  if (clean.length * 3 <= MAX_BODY_BYTES) return clean;
  const bytes = Buffer.from(clean);
  if (bytes.length <= MAX_BODY_BYTES) return clean;
  let end = MAX_BODY_BYTES;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

/** Keeps refused events in one statement; bodies are cut to 64 KiB. */
export async function keepDeadLetters({ db }: Postgres, letters: readonly DeadLetter[]): Promise<void> {
  if (letters.length === 0) return;
  await db
    .insertInto('dead_letters')
    .values(
      letters.map((letter) => ({
        source: letter.source.slice(0, 1024).replaceAll('\0', '\ufffd'),
        reason_code: letter.reason,
        problems: JSON.stringify(letter.problems.slice(0, 50)).replaceAll('\\u0000', '\\ufffd'),
        content_type: letter.contentType ?? null,
        event_id: letter.eventId?.slice(0, 1024).replaceAll('\0', '\ufffd') ?? null,
        body: cappedBody(letter.body),
      })),
    )
    .execute();
}

import type { Problem } from '../../model/errors.ts';

/** The text as PostgreSQL takes it: without NUL and halves of surrogate pairs. */
const storable = (text: string): string => text.replaceAll('\0', '\ufffd').toWellFormed();

/** The text cut to at most so many bytes of UTF-8, never inside a character, and storable. */
export function capped(text: string, maxBytes: number): string {
  const clean = storable(text);
  if (clean.length * 3 <= maxBytes) return clean;
  const bytes = Buffer.from(clean);
  if (bytes.length <= maxBytes) return clean;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

/** As JSON text, as many as people read. */
export const problemsText = (problems: readonly Problem[]): string =>
  JSON.stringify(
    problems.slice(0, 50).map(({ where, what }) => ({ where: storable(where), what: storable(what) })),
  );

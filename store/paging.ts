import { z } from 'zod';
import { ClosewatchError } from '../model/errors.ts';

/** A page of a list: so many rows at most, after the row that the cursor names. */
export interface Page {
  readonly limit: number;
  readonly after?: string | undefined;
}

/** An opaque cursor that holds the sort key of a row. */
export const encodeCursor = (key: readonly string[]): string =>
  Buffer.from(JSON.stringify(key)).toString('base64url');

/** The sort key of a cursor of `parts` texts, or undefined without one; throws `request.malformed` for anything else. */
export function decodeCursor(cursor: string | undefined, parts: readonly RegExp[]): string[] | undefined {
  if (cursor === undefined) return undefined;
  const shape = z.tuple(
    parts.map((part) => z.string().max(2048).regex(part)) as [z.ZodString, ...z.ZodString[]],
  );
  try {
    return shape.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch (cause) {
    throw new ClosewatchError('request.malformed', 'the cursor is none of this list', { cause });
  }
}

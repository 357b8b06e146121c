import type { Problem } from '../../model/errors.ts';
import { isRawJSON } from '../../model/json.ts';

/** Arrays and objects in one another, at most. What reads, hashes and stores an event goes down them by recursion. */
const MAX_DEPTH = 64;

/** Why a value that was read from JSON is not kept: nesting that nobody means, or text that PostgreSQL does not store. */
export function flawOf(value: unknown): Problem | undefined {
  if (isDeeper(value, MAX_DEPTH))
    return { where: '', what: `is nested too deeply: ${MAX_DEPTH} levels at most` };
  // JSON.stringify writes NUL and halves of surrogate pairs as escapes, and the backslash of a text as two.
  if (/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/.test(JSON.stringify(value) ?? ''))
    return { where: '', what: 'text may hold neither NUL nor half a surrogate pair' };
  return undefined;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null || isRawJSON(value)) return false;
  return levels === 0 || Object.values(value).some((item) => isDeeper(item, levels - 1));
}

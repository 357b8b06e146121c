import { z } from 'zod';
import { chunksOf } from './param-chunks.ts';

/** Parameters that one query has for its list. */
const PARAMS = 8;
const NAMES = Array.from({ length: PARAMS }, (_, i) => `joinKeys${i}` as const);
type Name = (typeof NAMES)[number];

/**
 * The SQL of a list of join keys, which are given as a few long texts: an array of thousands of texts costs ClickHouse more to
 * read as a parameter than to look for in a table.
 */
export const JOIN_KEYS = `(SELECT arrayJoin(splitByString({joinKeysBetween:String},
  concat(${NAMES.map((name) => `{${name}:String}`).join(', {joinKeysBetween:String}, ')}))))`;

/** The form of its parameters, for the schema of a query's. */
export const joinKeysShape = {
  joinKeysBetween: z.string().min(1),
  ...(Object.fromEntries(NAMES.map((name) => [name, z.string()])) as Record<Name, z.ZodString>),
};

type JoinKeysParams = Record<Name, string> & { readonly joinKeysBetween: string };

/**
 * The parameters of `JOIN_KEYS` for so many queries as the keys take, each key in one of them. Of more than one, each asks for keys that
 * lie side by side in a table that is ordered by them.
 */
export function joinKeysParams(keys: Iterable<string>): JoinKeysParams[] {
  const all = [...new Set(keys)];
  const joinKeysBetween = separatorOf(all);
  let chunks = chunksOf(all);
  if (chunks.length > PARAMS) chunks = chunksOf(all.sort());
  return Array.from({ length: Math.ceil(chunks.length / PARAMS) }, (_, query) => {
    const own = NAMES.map((name, i) => [name, (chunks[query * PARAMS + i] ?? []).join(joinKeysBetween)]);
    return { joinKeysBetween, ...(Object.fromEntries(own) as Record<Name, string>) };
  });
}

/** A text that no key holds: one character, but for keys that hold that one. */
function separatorOf(keys: readonly string[]): string {
  for (let n = 0; ; n += 1) {
    const separator = n === 0 ? '\u0001' : `\u0001${n}\u0001`;
    if (!keys.some((key) => key.includes(separator))) return separator;
  }
}

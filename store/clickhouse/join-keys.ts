import { z } from 'zod';

/** ClickHouse takes 128 KiB of a parameter (`http_max_field_value_size`). */
const MAX_PARAM_BYTES = 100_000;
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
  let texts = textsOf(all, joinKeysBetween);
  if (texts.length > PARAMS) texts = textsOf(all.sort(), joinKeysBetween);
  return Array.from({ length: Math.ceil(texts.length / PARAMS) }, (_, query) => {
    const own = NAMES.map((name, i) => [name, texts[query * PARAMS + i] ?? '']);
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

function textsOf(keys: readonly string[], separator: string): string[] {
  const texts: string[] = [];
  let [some, bytes]: [string[], number] = [[], 0];
  for (const key of keys) {
    const size = Buffer.byteLength(key) + separator.length;
    if (some.length > 0 && bytes + size > MAX_PARAM_BYTES) {
      texts.push(some.join(separator));
      [some, bytes] = [[], 0];
    }
    some.push(key);
    bytes += size;
  }
  if (some.length > 0) texts.push(some.join(separator));
  return texts;
}

import { createHash } from 'node:crypto';
import { isRawJSON } from './json.ts';

/**
 * The canonical JSON text of a value (RFC 8785): keys sorted by UTF-16 code units, no blanks, numbers and strings as
 * ECMAScript writes them. Properties that are undefined are left out. Beyond the RFC, a number that a double cannot hold
 * (`JSON.rawJSON`) keeps its text, so that two of them never look equal, and a lone surrogate is written as its escape.
 * Throws TypeError on what JSON cannot hold.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`${value} has no canonical form`);
    return JSON.stringify(value);
  }
  if (isRawJSON(value)) return value.rawJSON;
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value === 'object') {
    const members: string[] = [];
    for (const key of Object.keys(value).sort()) {
      const item = (value as Record<string, unknown>)[key];
      if (item !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(item)}`);
    }
    return `{${members.join(',')}}`;
  }
  throw new TypeError(`a ${typeof value} has no canonical form`);
}

/** SHA-256, lower-case hex, of the canonical JSON of a value. */
export const canonicalHash = (value: unknown): string =>
  createHash('sha256').update(canonicalJson(value)).digest('hex');

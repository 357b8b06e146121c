import { createHmac } from 'node:crypto';

/** A stand-in for a party, person or document: equal values get equal ones, nobody without the key can go back. */
export type Pseudonym = (kind: 'party' | 'actor' | 'document', value: string) => string;

/** HMAC-SHA-256 under the deployment's key, cut to 48 bits: `party-3f9c0a41be27`. */
export const pseudonyms =
  (key: string | Uint8Array): Pseudonym =>
  (kind, value) =>
    `${kind}-${createHmac('sha256', key).update(`${kind}\u0000${value}`).digest('hex').slice(0, 12)}`;

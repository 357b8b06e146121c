import { coversSource } from '../../store/postgres/tokens.ts';

/** Whose a refused event is, as far as it says so itself. */
export interface Origin {
  readonly source: string;
  readonly company: string | undefined;
}

/**
 * The event's own source, when the sender may speak for it, and the company that it names; else the sender's source.
 * Nothing of the event is believed to be well-formed.
 */
export function originOf(envelope: unknown, sender: string): Origin {
  const { source, companyid, data } = (envelope ?? {}) as {
    source?: unknown;
    companyid?: unknown;
    data?: { org?: { companyKey?: unknown } | null } | null;
  };
  // What is no URI reference may be anything, and is not told in the log.
  const isOwn = isName(source, 1024) && !/[\s\p{C}]/u.test(source) && coversSource(sender, source);
  const company = [companyid, data?.org?.companyKey].find((given) => isName(given, 128));
  return { source: isOwn ? source : sender, company: isOwn ? (company as string | undefined) : undefined };
}

/** A text that can be stored and looked up. */
const isName = (given: unknown, maxBytes: number): given is string =>
  typeof given === 'string' &&
  given !== '' &&
  Buffer.byteLength(given) <= maxBytes &&
  given.isWellFormed() &&
  !given.includes('\0');

/**
 * The closed vocabulary in which error messages reach the evidence: whatever else a message says (names, references,
 * instructions) stays out. Lower case.
 */
const WORDS = new Set(
  `access account aborted already amount approval archived auth authentication authorization bad balance balanced bank
  batch broken busy cancelled cannot capacity certificate chart claim closed code column company conflict connect
  connection constraint corrupt could credentials currency cycle database date deadline deadlock decode default delayed
  denied digit disabled disk dns does duplicate duplicated econnrefused econnreset empty encoding engine entry enotfound
  error etimedout exceeded exhausted exist exists expected expired failed failure field file fiscal forbidden format found
  gap gateway handshake hash host id internal invalid inactive incomplete incorrect integrity job journal json key late
  limit locale lock locked login longer malformed mandatory mapping master match memory message mismatch missing model
  move must name network no node not null number of order overflow overloaded parse parser partner password payload
  payment pending period permission pool posted product property queue quota rate read reached refused rejected relation
  reset required resource response retries retry route row schema sequence server service session shutdown socket space
  space ssl stale state syntax table tax temporarily throttled throttling time timed timeout tls token too many
  transaction type unable unauthenticated unauthorized unavailable unbalanced undefined unexpected unique unit unknown
  unmapped unprocessable unreachable unsupported upstream user valid validation value vat vendor version violates
  violation wrong xml year`
    .split(/\s+/)
    .filter((word) => word !== ''),
);

const split = (text: string): string[] =>
  text
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/);

/** The technical words of an error message in their order, and HTTP status codes among them; at most 24 words. */
export function technicalWords(message: string): string {
  const kept = split(message.slice(0, 4_000)).filter((word) => WORDS.has(word) || /^[45]\d\d$/.test(word));
  return kept
    .filter((word, at) => kept.indexOf(word) === at)
    .slice(0, 24)
    .join(' ');
}

/**
 * The closed vocabulary in which error messages reach the evidence: whatever else a message says (names, references,
 * instructions) stays out. Lower case.
 */
const WORDS = new Set(
  `aborted access account accounts agent allowed already amount another apikey approval approve approver archived
  argument attribute attributes auth authentication authorization avalara avatax backlog bad balance balanced bank
  batch belong belongs blank blocked broken broker busy cancelled cannot capacity catalog catalogue certificate
  character chargeback chart claim clients closed closedaccountnumber closing code codec column companies company
  complete configured conflict connect connection connections constraint consumer contact control conversion corrupt
  could counter counterpart credentials creditor currencies currency customer cycle database date deadline deadlock
  debtor decode decoding default define defined delayed deleted denied deprecated determine determined differ
  difference differences differs digit disabled disk dns does draft dropped duplicate duplicated duplicates ebics
  econnrefused econnreset element empty encoded encoding engine enotfound enough entity entries entry eof error
  etimedout exceeded exhausted exist exists expected expense expired expires failed failure field file fiscal
  forbidden format found full funds gap gateway gone grant handshake hangup hash heap hold host hosts id inactive
  incompatible incomplete incorrect insufficient integrity internal invalid item job journal journals json jumped
  jurisdiction key keys keyword killed lag late legal limit line locale lock locked locks login longer lookup loss
  lost malformed mandate mandatory many mapped mapping mappings master match memory message mismatch mismatching
  missing model move must name needed needs network nexus no node nomandate not null number numbering of oom opened
  order overflow overloaded own padding parse parser partition partner passphrase password payload payment pending
  peppol period permission permitted permitting pool posted privileges producer product property queue quota rate
  rates reachable reached read reader readonly recipient record records reference refused rejected rejection relation
  removed renamed repeated required requires reset resolve resource response restricted retries retry returned
  reversal revoked rights rjct route row schema scope secret segment segregation self sequence server service session
  set shutdown signature signed skipped sku slow socket space ssl stale state storage structure sum supplier syntax
  table tag tax taxes temporarily terminated throttled throttling tie time timed timeout tls token tolerance too total
  totals transaction translate translation truncated trusted twice type unable unauthenticated unauthorised
  unauthorized unavailable unbalanced undefined unexpected unique unit units unknown unmapped unprocessable
  unreachable unrecognised unrecognized unresolved unsupported upstream user valid validation value vat vendor version
  vertex vies violates violation waiting worker workers wrong xml year yourself`
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

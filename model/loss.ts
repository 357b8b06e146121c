/** Who can mend it: whoever sends, whoever runs Closewatch, or whoever writes it. */
export type LossOwner = 'sender' | 'operator' | 'closewatch';

interface Reason {
  readonly what: string;
  readonly owner: LossOwner;
  readonly advice: string;
}

/**
 * Why something that came is not among the data: a closed list. A refused event is kept as a dead letter all the same.
 * docs/operations.md lists the same.
 */
export const LOSS_REASONS = {
  'bad-case': {
    what: 'a row of a file of case attributes that cannot be read',
    owner: 'sender',
    advice: 'closewatch import prints the row and what is wrong with it; import the mended file again',
  },
  'bad-id': {
    what: 'a record whose trace id or span id is none, or of a span missing',
    owner: 'sender',
    advice: 'mend the instrumentation: ids have 16 and 8 bytes and are not zero',
  },
  'bad-row': {
    what: 'a row of an imported file that is no event',
    owner: 'sender',
    advice: 'closewatch import prints the row and what is wrong with it; import the mended file again',
  },
  'bad-signature': {
    what: 'a request whose signature is missing, wrong or too old',
    owner: 'sender',
    advice: 'sign with the secret of the source, and keep the clock of the sender in step',
  },
  'bad-time': {
    what: 'a record whose time lies out of range, or more than 24 hours ahead',
    owner: 'sender',
    advice: 'mend the clock or the time unit of the sender: nanoseconds since 1970',
  },
  conflict: {
    what: 'an event whose id was accepted before with another body',
    owner: 'sender',
    advice: 'give each event an id of its own; a correction is another event',
  },
  'dead-letters-full': {
    what: 'a refused event whose text was not kept, because 10,000 of its sender are open; counted beside its reason',
    owner: 'operator',
    advice: 'settle the open dead letters of the sender, and have it mended',
  },
  invalid: {
    what: 'an event that breaks the event model',
    owner: 'sender',
    advice: 'closewatch inbox list says what is wrong; send it again, mended, under the same id',
  },
  malformed: {
    what: 'a request that cannot be decoded',
    owner: 'sender',
    advice: 'the answer to the sender says what is wrong; of events closewatch inbox list does too',
  },
  'media-type': {
    what: 'a request in an encoding or a media type that is not served',
    owner: 'sender',
    advice: 'send CloudEvents as JSON, OTLP as protobuf or JSON, plain or gzip',
  },
  'not-stored': {
    what: 'a record that was answered before it was stored, and that ClickHouse refused then',
    owner: 'operator',
    advice: 'set ack: stored in collector.yaml, and look in the log why ClickHouse refused it',
  },
  overloaded: {
    what: 'refused for want of room with 429 or 503: lost when the sender does not send it again',
    owner: 'operator',
    advice: 'raise the limits of collector.yaml, or add a collector',
  },
  poison: {
    what: 'an accepted event that ClickHouse refuses for what it holds; it is set aside',
    owner: 'closewatch',
    advice: 'the log has the error of ClickHouse; report it',
  },
  'company-denied': {
    what: 'an event of a company for which the token of its sender may not send',
    owner: 'operator',
    advice:
      'closewatch token create --company makes one for the company, or correct the company of the event',
  },
  'source-denied': {
    what: 'an event of a source for which the token of its sender does not speak',
    owner: 'operator',
    advice: 'closewatch token create --source makes one for the source, or correct the source of the event',
  },
  'spool-full': {
    what: 'a hint that found no room in the spool; the next poll reads what it told of',
    owner: 'operator',
    advice: 'look why the spool is not emptied: are PostgreSQL and Odoo reachable?',
  },
  'too-large': {
    what: 'an event or a request above a limit of its size',
    owner: 'sender',
    advice: 'send smaller batches, or raise the limit in collector.yaml',
  },
  unauthenticated: {
    what: 'a request without a valid ingest token; it is not known what was in it',
    owner: 'sender',
    advice: 'closewatch token create makes one; revoked ones are in closewatch token list',
  },
  'unknown-version': {
    what: 'an event of a version of its type that this program does not know',
    owner: 'operator',
    advice: 'upgrade Closewatch and replay the dead letter, or have the older version sent',
  },
  unsupported: {
    what: 'a record of a kind that is not stored',
    owner: 'sender',
    advice: 'docs/otlp.md says what is stored; leave the rest out at the sender',
  },
} as const satisfies Record<string, Reason>;

export type LossReason = keyof typeof LOSS_REASONS;

export const LOSS_REASON_NAMES = Object.keys(LOSS_REASONS) as LossReason[];

/** What a reason means, of a name that was stored: one of another version of this program is told as it stands. */
export const lossReason = (name: string): Reason =>
  Object.hasOwn(LOSS_REASONS, name)
    ? LOSS_REASONS[name as LossReason]
    : { what: name, owner: 'closewatch', advice: 'this program does not know the reason: is it older?' };

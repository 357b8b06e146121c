import { createHash } from 'node:crypto';
import { canonicalJson } from '../../model/canonical-json.ts';
import type { IngestPath } from '../../model/event.ts';
import type { AcceptedEvent } from '../../store/postgres/accepted.ts';
import { type Description, defined, type Fact, subjectOf } from './kind.ts';
import type { DocumentLine } from './lines.ts';

/** Who did it. */
export interface Actor {
  readonly userId: number;
  /** Odoo's own user, scheduled jobs, and users that are programs. */
  readonly kind: 'human' | 'service' | 'system';
}

/** A fact with all that its event says beside it. */
export interface Told {
  /** Of the event: the same whenever the same fact is seen again. */
  readonly id: string;
  readonly source: string;
  readonly companyKey: string;
  /** What it is about, `account.move/42`. */
  readonly subject: string;
  readonly fact: Fact;
  /** When Odoo says it happened. */
  readonly at: string;
  readonly actor: Actor | undefined;
  /** Odoo recorded no such change: it is the difference of two readings. */
  readonly inferred: boolean;
  /** Labels that no installed language knows. */
  readonly mappingErrors: readonly string[];
  readonly description: Description;
  readonly path: IngestPath;
  /** Where a person sees it. */
  readonly url: string;
  /** Of the document, where the fact carries them. */
  readonly lines?: readonly DocumentLine[] | undefined;
}

const MAX_TEXT = 200;
const textOf = (value: unknown): string => (value === false ? '' : String(value)).slice(0, MAX_TEXT);

/**
 * The event of a fact. Its hash is of what changed, not of how the record is now, nor of when it was last written: it may be told again
 * later.
 */
export function eventOf(told: Told): AcceptedEvent {
  const { id, source, fact, at, description, actor } = told;
  const { object, party, money, dates, keys, attributes = {}, period, journalKey } = description;
  const { subject } = told;
  const changes = fact.changes.map(({ field, before, after }) => ({
    field,
    before: textOf(before),
    after: textOf(after),
  }));
  const state = fact.changes.find(({ field }) => field === 'state');
  const data = defined({
    object: defined({
      ...object,
      ...(state ? { state: textOf(state.after), previousState: textOf(state.before) } : {}),
    }),
    org: defined({ companyKey: told.companyKey, period, journalKey }),
    party,
    money,
    dates,
    lines: told.lines,
    quality: defined({
      inferred: told.inferred,
      changes: changes.length > 0 ? changes : undefined,
      mappingErrors: told.mappingErrors.length > 0 ? told.mappingErrors : undefined,
    }),
  });
  return {
    event: {
      id,
      source,
      type: fact.type,
      version: 1,
      time: at,
      sequence: '0',
      company: told.companyKey,
      subject,
      ingestPath: told.path,
      docNumber: object.docNumber,
      state: data.object.state,
      period,
      partyKey: party?.partyKey,
      amount: money?.amount,
      currency: money?.currency,
      companyAmount: money?.companyAmount,
      companyCurrency: money?.companyCurrency,
      actorId: actor && subjectOf('res.users', actor.userId),
      actorKind: actor?.kind,
      keys,
      attributes: { ...attributes, url: told.url, ...(told.inferred ? { inferred: 'true' } : {}) },
      data: JSON.stringify(data),
    },
    bodyHash: createHash('sha256')
      .update(canonicalJson([id, source, fact.type, changes]))
      .digest('hex'),
  };
}

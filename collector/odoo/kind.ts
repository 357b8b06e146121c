import type { EventData } from '../../model/event.ts';
import type { OdooModel } from '../../odoo/models.ts';
import { amountOf, idOf, type OdooValue } from '../../odoo/values.ts';

/** A record as it was read, its fields under the names that they have in the newest version. */
export interface OdooRecord {
  readonly id: number;
  readonly values: Readonly<Record<string, OdooValue>>;
}

/** A field of a record that changed: technical values, of a many2one the id. */
export interface Change {
  readonly field: string;
  readonly before: OdooValue;
  readonly after: OdooValue;
}

/** What happened to a record in one transaction, in the words of finance. */
export interface Fact {
  /** `bill.posted`. */
  readonly type: string;
  /** The changes that it is made of, by field; none for a creation or a deletion. */
  readonly changes: readonly Change[];
}

/** What is known of an Odoo besides the record at hand. */
export interface Surroundings {
  company(id: number | undefined): Company | undefined;
  currency(id: number | undefined): { readonly code: string; readonly places: number } | undefined;
  /** A record of another model that was read with it, such as the order behind a line. */
  other(model: string, id: number | undefined): OdooRecord | undefined;
}

interface Company {
  readonly key: string;
  readonly currency: string;
  /** Decimals of its currency. */
  readonly places: number;
}

/** What an event says of the record that it is about; the rest is the same for all. */
export type Description = Pick<EventData, 'object' | 'party' | 'money' | 'dates' | 'keys'> & {
  /** In Odoo; undefined: of none, or of all. */
  readonly company: number | undefined;
  readonly period?: string | undefined;
  readonly journalKey?: string | undefined;
  readonly attributes?: Readonly<Record<string, string>>;
};

/** How the records of a model become events. Pure. */
export interface RecordKind {
  readonly model: OdooModel;
  /** Fields whose changes mean something, beside when and by whom. */
  readonly watched: readonly string[];
  /** Beside them what is kept of a record, to say what it was when it is gone. */
  readonly kept: readonly string[];
  /** Texts that are known by stand-ins alone, as they are read: account numbers. */
  readonly hidden?: readonly string[];
  /** The types of all events that it may tell. */
  readonly types: readonly string[];
  /** What the watched fields are before anything happens, for a record that is seen when much has. */
  readonly initial: Readonly<Record<string, OdooValue>>;
  /**
   * Rows of this model change without being stamped, so that all of them are read each round: the instant of what happened last, in Odoo's
   * text.
   */
  readonly happenedAt?: (record: OdooRecord, now: string) => OdooValue;
  /** Watched values that are not in the record but follow from it and the time, which is given as Odoo writes it. */
  readonly derive?: (values: OdooRecord['values'], now: string) => OdooRecord['values'];
  created(record: OdooRecord): readonly Fact[];
  /** The facts in the changes of one transaction; `record` as it is now. */
  changed(changes: readonly Change[], record: OdooRecord): readonly Fact[];
  /** It is gone; `record` as it was last seen. */
  deleted(record: OdooRecord): readonly Fact[];
  describe(record: OdooRecord, around: Surroundings): Description;
}

/** Types of events of one kind of document: `bill.posted`. */
export const typesOf = (kind: string, facts: readonly string[]): string[] =>
  facts.map((fact) => `${kind}.${fact}`);

/** A fact that no change stands behind. */
export const plainFact = (type: string): Fact => ({ type, changes: [] });

/** The name of a record as events have it in `subject`. */
export const subjectOf = (model: string, id: number): string => `${model}/${id}`;

/** A party of Odoo: the company behind a contact, so that its addresses and people are one. */
export const partyOf = (id: number | undefined): string | undefined =>
  id === undefined ? undefined : subjectOf('res.partner', id);

/** The subject of a record that a many2one names. */
export const subjectIn = (model: string, value: OdooValue): string | undefined => {
  const id = idOf(value);
  return id === undefined ? undefined : subjectOf(model, id);
};

/** The fact that a field's new value stands for, by a table of words; none for a value that the table leaves out. */
export function wordOf(
  kind: string,
  change: Change | undefined,
  words: Readonly<Record<string, string>>,
): Fact[] {
  const word = change && words[String(change.after)];
  return word === undefined ? [] : [{ type: `${kind}.${word}`, changes: [change as Change] }];
}

/** The fact that a flag was set. */
export const nowTrue = (type: string, change: Change | undefined): Fact[] =>
  change?.after === true && change.before !== true ? [{ type, changes: [change] }] : [];

export const changeOf = (changes: readonly Change[], field: string): Change | undefined =>
  changes.find((change) => change.field === field);

/** The changes of some fields as one fact, when there are any. */
export function changedFact(type: string, changes: readonly Change[], fields: ReadonlySet<string>): Fact[] {
  const edits = changes.filter(({ field }) => fields.has(field));
  return edits.length === 0 ? [] : [{ type, changes: edits }];
}

/** An amount with its currency, as an event has it; undefined when either is not known. */
export function moneyOf(
  amount: OdooValue,
  currency: { readonly code: string; readonly places: number } | undefined,
  further: {
    readonly company?: Company | undefined;
    readonly companyAmount?: OdooValue;
    readonly residual?: OdooValue;
    readonly isNegative?: boolean;
  } = {},
): EventData['money'] {
  if (!currency) return undefined;
  const signed = (value: OdooValue, places: number): string | undefined => {
    const text = amountOf(value, places);
    if (text === undefined || further.isNegative === undefined) return text;
    const size = text.replace('-', '');
    return further.isNegative && Number(size) !== 0 ? `-${size}` : size;
  };
  const text = signed(amount, currency.places);
  if (text === undefined) return undefined;
  const { company } = further;
  const inCompany = company && signed(further.companyAmount, company.places);
  return defined({
    amount: text,
    currency: currency.code,
    companyAmount: inCompany,
    companyCurrency: inCompany === undefined ? undefined : company?.currency,
    residual: signed(further.residual, currency.places),
  });
}

/** A field without a value is left out. */
export function defined<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

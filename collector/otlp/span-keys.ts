import { comparableKey, keyPrefix, scopeOfKey } from '../../model/key.ts';
import type { Masking } from '../../model/masking.ts';
import type { LowCardinalityColumn } from '../../store/clickhouse/native/columns.ts';
import type { AttributesReader } from './attributes.ts';
import { AttributeNames } from './key-names.ts';
import type { KeysConfig } from './keys-config.ts';

/** Whose spans they are: what their token speaks for. */
export interface SpanSender {
  readonly source: string;
  /** The companies that it may send for; left out, all. */
  readonly companies?: readonly string[] | undefined;
}

/** What became of the keys that spans hold. */
export interface KeyCounts {
  /** Rows of `span_keys`. */
  written: number;
  /** Not written: the key is unique within a company or source only, and the span tells of none. */
  unscoped: number;
  /** Not written: of a company that their sender may not send for. */
  foreign: number;
  /** Not written: beyond the keys that a span may have, or too long for a key. */
  dropped: number;
}

export const noKeys = (): KeyCounts => ({ written: 0, unscoped: 0, foreign: 0, dropped: 0 });

/** Any type: `closewatch.key.docno` holds a document number. */
const PREFIX = 'closewatch.key.';
/** The model of the records whose ids `odoo.record.ids` has: together they are what Odoo's events have as subject. */
const RECORD_IDS = 'odoo.record.ids';
const RECORD_MODEL = 'odoo.model';
const MAX_VALUE = 512;
const MAX_LIST = 64 * 1024;

type Meaning =
  | { readonly is: 'key'; readonly type: string; readonly records: boolean }
  | { readonly is: 'any' }
  | { readonly is: 'company'; readonly rank: number }
  | { readonly is: 'model' };

/** The correlation keys of the span at hand, found among its attributes; its company, else that of its resource. */
export class SpanKeys {
  readonly #names: AttributeNames<Meaning>;
  readonly #maxKeys: number;
  readonly #masking: Masking | undefined;
  readonly #span = new Found();
  readonly #resource = new Found();
  readonly #prefixes = new Map<string, string>();
  #room = { company: '', source: '' };

  /** What `masking` hides holds no key. */
  constructor({ attributes, company, maxKeys }: KeysConfig, masking?: Masking) {
    this.#masking = masking;
    const keys = Object.entries(attributes).flatMap(([name, type]): [string, Meaning][] =>
      type === 'none' || masking?.hides(name)
        ? []
        : [[name, { is: 'key', type, records: name === RECORD_IDS }]],
    );
    this.#names = new AttributeNames<Meaning>([
      ...company.map((name, rank): [string, Meaning] => [name, { is: 'company', rank }]),
      [RECORD_MODEL, { is: 'model' }],
      [`${PREFIX}*`, { is: 'any' }],
      ...keys,
    ]);
    this.#maxKeys = maxKeys;
  }

  /** Is there anything to append? */
  get some(): boolean {
    return this.#span.keys.length > 0;
  }

  /** Looks through the collected attributes of a resource, for its company. */
  readResource(attributes: AttributesReader): void {
    this.#look(attributes, this.#resource);
  }

  /** Looks through the collected attributes of a span. */
  read(attributes: AttributesReader): void {
    this.#look(attributes, this.#span);
  }

  /** Calls `row` for each row to write: its key, its type and its company. */
  rows(
    sender: SpanSender,
    counts: KeyCounts,
    row: (key: string, type: string, company: string) => void,
  ): void {
    const company = this.#span.company || this.#resource.company || onlyOne(sender.companies);
    const { keys, model } = this.#span;
    if (company && sender.companies && !sender.companies.includes(company)) {
      counts.foreign += keys.length;
      return;
    }
    this.#enter(company, sender.source === '*' ? '' : sender.source);
    const written: string[] = [];
    const write = (type: string, value: string): void => {
      const scope = scopeOfKey(type);
      if (scope !== 'global' && this.#room[scope] === '') counts.unscoped++;
      else if (value.length > MAX_VALUE || written.length >= this.#maxKeys) counts.dropped++;
      else {
        const key = this.#joinKey(type, value);
        if (written.includes(key)) return;
        written.push(key);
        row(key, type, company);
      }
    };
    for (const { type, value, records } of keys)
      for (const one of value.startsWith('[') ? valuesOf(value) : [value])
        if (one !== '') write(type, records && model !== '' ? `${model}/${one}` : one);
    counts.written += written.length;
  }

  /** From here on keys are of this company and source. */
  #enter(company: string, source: string): void {
    if (company === this.#room.company && source === this.#room.source) return;
    this.#room = { company, source };
    this.#prefixes.clear();
  }

  /** As `joinKey`, whose first part is the same for many. */
  #joinKey(type: string, value: string): string {
    let prefix = this.#prefixes.get(type);
    if (prefix === undefined) {
      prefix = keyPrefix(type, this.#room);
      this.#prefixes.set(type, prefix);
    }
    return prefix + comparableKey(type, value);
  }

  #look(attributes: AttributesReader, found: Found): void {
    found.clear();
    this.#names.find(attributes, (meaning, index) => {
      if (meaning.is === 'key') found.add(meaning.type, attributes.valueText(index), meaning.records);
      else if (meaning.is === 'any') {
        const name = attributes.keyText(index);
        const type = name.slice(PREFIX.length);
        if (KEY_TYPE.test(type) && !this.#masking?.hides(name))
          found.add(type, attributes.valueText(index), false);
      } else if (meaning.is === 'model') found.model = attributes.valueText(index);
      else found.setCompany(attributes.valueText(index), meaning.rank);
    });
  }
}

/** What the attributes of one span or resource say. */
class Found {
  readonly keys: { readonly type: string; readonly value: string; readonly records: boolean }[] = [];
  model = '';
  company = '';
  #rank = Number.POSITIVE_INFINITY;

  clear(): void {
    this.keys.length = 0;
    this.model = '';
    this.company = '';
    this.#rank = Number.POSITIVE_INFINITY;
  }

  add(type: string, value: string, records: boolean): void {
    this.keys.push({ type, value, records });
  }

  /** The first name of the list that is there counts. */
  setCompany(company: string, rank: number): void {
    if (rank > this.#rank || company === '') return;
    this.company = company;
    this.#rank = rank;
  }
}

const KEY_TYPE = /^[a-z][a-z0-9]{0,31}$/;

const onlyOne = (companies: readonly string[] | undefined): string =>
  companies?.length === 1 ? (companies[0] as string) : '';

/** The values of a list, which the exporter writes as JSON; of what only looks like one the text itself. */
function valuesOf(text: string): readonly string[] {
  if (text.length > MAX_LIST) return [text];
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list))
      return list.flatMap((one) => (typeof one === 'string' || typeof one === 'number' ? [`${one}`] : []));
  } catch {
    // It is none.
  }
  return [text];
}

/** A text that mostly is the one before. */
export class RepeatedText {
  #text = '';
  #column: LowCardinalityColumn | undefined;
  #index = 0;

  set(text: string): void {
    if (text === this.#text) return;
    this.#text = text;
    this.#column = undefined;
  }

  /** Call when a column may have been cleared: what it held is no longer there. */
  forget(): void {
    this.#column = undefined;
  }

  append(column: LowCardinalityColumn): void {
    if (column === this.#column) column.indexes.push(this.#index);
    else {
      column.appendText(this.#text);
      this.#column = column;
      this.#index = column.indexes.data[column.rows - 1] as number;
    }
  }
}

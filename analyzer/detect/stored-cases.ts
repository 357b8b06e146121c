import type { Kysely } from 'kysely';
import {
  type ObligationHead,
  type ObligationRow,
  obligationsOf,
  obligationsOfCases,
  obligationsOfCompanies,
} from '../../store/postgres/obligations.ts';
import type { Database } from '../../store/postgres/schema.ts';

/** The stored obligations of cases. A key is looked for once, for all rules together. */
export class StoredCases {
  readonly #db: Kysely<Database>;
  /** By key, where there are any; none is known of a key that was not looked for. */
  readonly #byKey = new Map<string, readonly ObligationHead[]>();
  readonly #written = new Map<string, Set<string>>();
  /** Of each rule the rows that were looked for; undefined: there was none. */
  readonly #rows = new Map<string, Map<string, ObligationRow | undefined>>();
  /** Is all that is stored of them known, so that no key need be looked for? */
  #isWhole = false;
  #last: Promise<void> = Promise.resolve();

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** Looks for those of the keys that were not looked for yet: at once it is little work. One search after another. */
  seek(keys: readonly string[], written?: Set<string>): Promise<void> {
    this.#last = this.#last.catch(() => {}).then(() => this.#seek(keys, written));
    return this.#last;
  }

  /** Nothing is stored under these keys. */
  none(keys: readonly string[]): void {
    for (const key of keys) this.#byKey.set(key, NONE);
  }

  /** Looks for all of some companies, whose cases alone are asked for. */
  seekCompanies(companies: readonly string[]): Promise<void> {
    this.#last = obligationsOfCompanies(this.#db, companies).then((found) => {
      for (const [key, heads] of Map.groupBy(found, ({ case_key }) => case_key)) this.#byKey.set(key, heads);
      this.#isWhole = true;
    });
    return this.#last;
  }

  async #seek(keys: readonly string[], written: Set<string> | undefined): Promise<void> {
    const fresh = new Set<string>();
    for (const key of keys)
      if (written?.delete(key) || (!this.#isWhole && !this.#byKey.has(key))) fresh.add(key);
    if (fresh.size === 0) return;
    const found = Map.groupBy(await obligationsOfCases(this.#db, [...fresh]), ({ case_key }) => case_key);
    for (const key of fresh) this.#byKey.set(key, found.get(key) ?? NONE);
  }

  /** The obligations of the rule to whose cases the keys lead. */
  async heads(rule: string, keys: readonly string[]): Promise<ObligationHead[]> {
    await this.seek(keys, this.#written.get(rule));
    const heads: ObligationHead[] = [];
    for (const key of keys)
      for (const head of this.#byKey.get(key) ?? NONE) if (head.rule === rule) heads.push(head);
    return heads;
  }

  /** Looks at once for what is written since it was looked for, and for the rows that are likely to be asked for: these, and those that do not wait. */
  async renew(ids: ReadonlyMap<string, readonly string[]>): Promise<void> {
    const keys = new Set<string>();
    for (const written of this.#written.values())
      for (const key of written) if (this.#byKey.has(key)) keys.add(key);
    await this.seek([...keys], new Set(keys));
    for (const written of this.#written.values()) for (const key of keys) written.delete(key);
    const wanted = new Map([...ids].map(([rule, some]) => [rule, new Set(some)]));
    for (const heads of this.#byKey.values())
      for (const { rule, id, state } of heads) if (state !== 'pending') wanted.get(rule)?.add(id);
    const all = [...wanted.values()].flatMap((some) => [...some]);
    if (all.length === 0 || all.length > MOST_ROWS) return;
    const found = new Map((await obligationsOf(this.#db, all)).map((row) => [row.id, row]));
    for (const [rule, some] of wanted)
      this.#rows.set(rule, new Map([...some].map((id) => [id, found.get(id)])));
  }

  /** The rows of these obligations of the rule that are stored. */
  async rows(rule: string, ids: readonly string[]): Promise<ObligationRow[]> {
    const known = this.#rows.get(rule);
    const missing = known ? ids.filter((id) => !known.has(id)) : ids;
    const rows = missing.length > 0 ? await obligationsOf(this.#db, missing) : [];
    for (const id of known ? ids : []) {
      const row = known?.get(id);
      if (row) rows.push(row);
    }
    return rows;
  }

  /** Obligations of the rule are written: whoever asks for them again is told anew. */
  note(rule: string, keys: readonly string[]): void {
    this.#rows.delete(rule);
    const written = this.#written.get(rule) ?? new Set();
    for (const key of keys) written.add(key);
    this.#written.set(rule, written);
  }
}

/** More rows than these are read when they are asked for. */
const MOST_ROWS = 5_000;

const NONE: readonly ObligationHead[] = [];

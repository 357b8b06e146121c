import type { Kysely } from 'kysely';
import {
  type ObligationHead,
  obligationsOfCases,
  obligationsOfCompany,
} from '../../store/postgres/obligations.ts';
import type { Database } from '../../store/postgres/schema.ts';

/** The stored obligations of cases. A key is looked for once, for all rules together. */
export class StoredCases {
  readonly #db: Kysely<Database>;
  /** By key, where there are any; none is known of a key that was not looked for. */
  readonly #byKey = new Map<string, readonly ObligationHead[]>();
  readonly #written = new Map<string, Set<string>>();
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

  /** Looks for all of a company, whose cases alone are asked for. */
  seekCompany(company: string): Promise<void> {
    this.#last = obligationsOfCompany(this.#db, company).then((found) => {
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

  /** Obligations of the rule are written: whoever asks for them again is told anew. */
  note(rule: string, keys: readonly string[]): void {
    const written = this.#written.get(rule) ?? new Set();
    for (const key of keys) written.add(key);
    this.#written.set(rule, written);
  }
}

const NONE: readonly ObligationHead[] = [];

import type { Kysely } from 'kysely';
import { type ObligationHead, obligationsOfCases } from '../../store/postgres/obligations.ts';
import type { Database } from '../../store/postgres/schema.ts';

/** The stored obligations of cases. A key is looked for once, for all rules together. */
export class StoredCases {
  readonly #db: Kysely<Database>;
  readonly #byKey = new Map<string, readonly ObligationHead[]>();
  readonly #written = new Map<string, Set<string>>();

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** Looks for those of the keys that were not looked for yet: at once it is little work. */
  async seek(keys: readonly string[], isWritten: (key: string) => boolean = () => false): Promise<void> {
    const fresh = [...new Set(keys)].filter((key) => !this.#byKey.has(key) || isWritten(key));
    if (fresh.length === 0) return;
    const found = Map.groupBy(await obligationsOfCases(this.#db, fresh), ({ case_key }) => case_key);
    for (const key of fresh) this.#byKey.set(key, found.get(key) ?? NONE);
  }

  /** The obligations of the rule to whose cases the keys lead. */
  async heads(rule: string, keys: readonly string[]): Promise<ObligationHead[]> {
    const written = this.#written.get(rule);
    await this.seek(keys, (key) => written?.delete(key) ?? false);
    return keys.flatMap((key) => this.#byKey.get(key)?.filter((head) => head.rule === rule) ?? NONE);
  }

  /** Obligations of the rule are written: whoever asks for them again is told anew. */
  note(rule: string, keys: readonly string[]): void {
    const written = this.#written.get(rule) ?? new Set();
    for (const key of keys) written.add(key);
    this.#written.set(rule, written);
  }
}

const NONE: readonly ObligationHead[] = [];

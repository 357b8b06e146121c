import { sql } from 'kysely';
import type { Postgres } from './database.ts';

/** Who stands behind a party key; the account is masked. */
export interface Party {
  readonly partyKey: string;
  readonly name?: string | undefined;
  readonly account?: string | undefined;
}

/** Parties of one statement of SQL. */
const CHUNK = 5_000;

/** The text as PostgreSQL takes it, cut to a length that a name has. */
const storable = (text: string | undefined): string | null =>
  text === undefined ? null : text.replaceAll('\0', '').toWellFormed().slice(0, 256);

/** Remembers parties of a company; of one that is known the name and account that were told last. */
export async function keepParties(
  { db }: Postgres,
  given: {
    readonly company: string;
    readonly source: string;
    readonly parties: readonly Party[];
    readonly at: Date;
  },
): Promise<void> {
  const { company, source, at } = given;
  const parties = given.parties.toSorted((a, b) => (a.partyKey < b.partyKey ? -1 : 1));
  for (let from = 0; from < parties.length; from += CHUNK) {
    const some = parties.slice(from, from + CHUNK);
    await db
      .insertInto('parties')
      .values(
        some.map(({ partyKey, name, account }) => ({
          company,
          party_key: partyKey,
          name: storable(name),
          account: storable(account),
          source,
          first_seen_at: at,
          last_seen_at: at,
        })),
      )
      .onConflict((conflict) =>
        conflict.columns(['company', 'party_key']).doUpdateSet({
          name: sql`coalesce(excluded.name, parties.name)`,
          account: sql`coalesce(excluded.account, parties.account)`,
          last_seen_at: sql`greatest(parties.last_seen_at, excluded.last_seen_at)`,
        }),
      )
      .execute();
  }
}

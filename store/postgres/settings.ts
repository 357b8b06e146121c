import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Database } from './schema.ts';

/** What is remembered under a name; undefined: nothing. */
export async function readSetting<T>(db: Kysely<Database>, name: string): Promise<T | undefined> {
  const row = await db.selectFrom('settings').select('value').where('name', '=', name).executeTakeFirst();
  return row?.value as T | undefined;
}

/** Remembers a JSON value under a name. */
export async function writeSetting(
  db: Kysely<Database>,
  name: string,
  json: unknown,
  at: Date,
): Promise<void> {
  const value = JSON.stringify(json);
  await db
    .insertInto('settings')
    .values({ name, value, updated_at: at })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value, updated_at: at }))
    .execute();
}

/** The secret of this deployment under a name, 64 hexadecimal digits; made at the first call, by whoever comes first. */
export async function keptSecret(db: Kysely<Database>, name: string, at: Date): Promise<string> {
  const known = await readSetting<string>(db, name);
  if (known !== undefined) return known;
  await db
    .insertInto('settings')
    .values({ name, value: JSON.stringify(randomBytes(32).toString('hex')), updated_at: at })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  return (await readSetting<string>(db, name)) ?? '';
}

import { canonicalJson } from '../../model/canonical-json.ts';
import { appendChanges, settingChange } from './change-log.ts';
import type { Postgres } from './database.ts';

const NAME = 'configuration';

/**
 * Notes under which configuration the program works, by the hash of each part, when it differs from the last one: so it is known which
 * rules, which policy and which prompts were in force at any time.
 */
export async function recordConfiguration(
  { db }: Pick<Postgres, 'db'>,
  hashes: Readonly<Record<string, string>>,
  at: Date,
): Promise<boolean> {
  return await db.transaction().execute(async (trx) => {
    const known = await trx
      .selectFrom('settings')
      .select('value')
      .where('name', '=', NAME)
      .forUpdate()
      .executeTakeFirst();
    if (known && canonicalJson(known.value) === canonicalJson(hashes)) return false;
    const value = JSON.stringify(hashes);
    await trx
      .insertInto('settings')
      .values({ name: NAME, value })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
      .execute();
    const data = { before: known?.value ?? null, after: hashes };
    await appendChanges(trx, [settingChange(NAME, 'changed', { by: 'closewatch', at, data })]);
    return true;
  });
}

import { type Actor, principal } from '../../model/principal.ts';
import type { Postgres } from './database.ts';

/** The person or service of this id as it is now; undefined when there is none, it is disabled, or it is a model. */
export async function findActor(postgres: Postgres, id: string): Promise<Actor | undefined> {
  const row = await postgres.db
    .selectFrom('principals')
    .select(['id', 'kind', 'name', 'roles', 'companies'])
    .where('id', '=', id)
    .where('kind', '<>', 'model')
    .where('disabled_at', 'is', null)
    .executeTakeFirst();
  const known = row && principal.parse(row);
  return known && known.kind !== 'model' ? known : undefined;
}

/** The principals of these ids by name, whatever became of them since. */
export async function namesOf(
  postgres: Postgres,
  ids: readonly string[],
): Promise<{ id: string; name: string }[]> {
  if (ids.length === 0) return [];
  return await postgres.db.selectFrom('principals').select(['id', 'name']).where('id', 'in', ids).execute();
}

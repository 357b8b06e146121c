import { type Principal, principal } from '../../model/principal.ts';
import type { Postgres } from './database.ts';

/**
 * The principal that an account elsewhere (a Slack user, say) is linked to. Undefined when there is no verified link, or
 * when the principal is disabled.
 */
export async function principalOfIdentity(
  postgres: Postgres,
  provider: string,
  externalId: string,
): Promise<Principal | undefined> {
  const row = await postgres.db
    .selectFrom('identities as i')
    .innerJoin('principals as p', 'p.id', 'i.principal')
    .select(['p.id', 'p.kind', 'p.name', 'p.roles', 'p.companies'])
    .where('i.provider', '=', provider)
    .where('i.external_id', '=', externalId)
    .where('i.verified', '=', true)
    .where('p.disabled_at', 'is', null)
    .executeTakeFirst();
  if (!row) return undefined;
  const { roles, companies, ...who } = row;
  return principal.safeParse(row.kind === 'model' ? who : { ...who, roles, companies }).data;
}

import type { Kysely } from 'kysely';
import { type Principal, principal } from '../../model/principal.ts';
import { appendChanges, settingChange } from './change-log.ts';
import type { Postgres } from './database.ts';
import type { Database } from './schema.ts';

/** Where an account is that signs in or clicks: Slack by member id, OpenID Connect by issuer and subject. */
type AccountProvider = 'slack' | 'oidc';

/** An e-mail address as it is compared and stored. */
export const plainEmail = (email: string): string => email.trim().toLowerCase();

/**
 * The principal that an account elsewhere (a Slack user, say) is linked to. Undefined when there is no verified link, or
 * when the principal is disabled.
 */
export const principalOfIdentity = (
  { db }: Pick<Postgres, 'db'>,
  provider: AccountProvider,
  externalId: string,
): Promise<Principal | undefined> => principalOf(db, provider, externalId);

/**
 * Links an account that is not linked yet to the person who has the e-mail address, which its provider must have verified, and whose
 * own link must have been confirmed. Recorded, without the address. Undefined when nobody has the address, or the account is linked
 * already, to whomever.
 */
export async function linkByEmail(
  { db }: Postgres,
  account: {
    readonly provider: AccountProvider;
    readonly externalId: string;
    readonly verifiedEmail: string;
  },
  at: Date,
): Promise<Principal | undefined> {
  return await db.transaction().execute(async (trx) => {
    const owner = await principalOf(trx, 'email', plainEmail(account.verifiedEmail));
    if (owner?.kind !== 'human') return undefined;
    const { provider, externalId } = account;
    const added = await trx
      .insertInto('identities')
      .values({ provider, external_id: externalId, principal: owner.id, verified: true, linked_by: 'email' })
      .onConflict((conflict) => conflict.columns(['provider', 'external_id']).doNothing())
      .returning('external_id')
      .executeTakeFirst();
    if (!added) return undefined;
    const who = { by: 'email', at, data: { provider, externalId } };
    await appendChanges(trx, [settingChange(`principal:${owner.id}`, 'linked', who)]);
    return owner;
  });
}

async function principalOf(
  db: Kysely<Database>,
  provider: string,
  externalId: string,
): Promise<Principal | undefined> {
  const row = await db
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

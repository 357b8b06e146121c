import { ClosewatchError } from '../../model/errors.ts';
import { type Actor, hasRole, type Role } from '../../model/principal.ts';
import { appendChanges, settingChange } from './change-log.ts';
import type { Postgres } from './database.ts';
import { plainEmail } from './identities.ts';

export interface NewPerson {
  /** Short and stable: `sam`. */
  readonly id: string;
  readonly name: string;
  readonly roles: readonly Role[];
  /** Company keys; `*` for every company. */
  readonly companies: readonly string[];
}

/** An account of a person elsewhere: the Slack member id `U0123456789`, say. */
export interface Identity {
  /**
   * `source`: an account of a system that sends events, by the source and its id there: `/odoo/prod 7`. `oidc`: an account of an
   * OpenID Connect issuer, by issuer and subject: `https://id.example 248289761001`. `email`: an address, by which accounts elsewhere
   * link themselves when their provider has verified it.
   */
  readonly provider: 'slack' | 'source' | 'oidc' | 'email';
  readonly externalId: string;
}

export interface Person extends NewPerson {
  /** A link that no second person confirmed counts for nothing. */
  readonly identities: readonly (Identity & { readonly isConfirmed: boolean })[];
}

/** Adds a person, or changes what one is called and may do. Recorded with who did it. */
export async function putPerson({ db }: Postgres, person: NewPerson, by: string, at: Date): Promise<void> {
  const given = { name: person.name, roles: [...person.roles], companies: [...person.companies] };
  await db.transaction().execute(async (trx) => {
    const saved = await trx
      .insertInto('principals')
      .values({ id: person.id, kind: 'human', ...given })
      .onConflict((conflict) =>
        conflict.column('id').doUpdateSet(given).where('principals.kind', '=', 'human'),
      )
      .returning('id')
      .executeTakeFirst();
    if (!saved) throw new ClosewatchError('state.conflict', `${person.id} is no person`);
    await appendChanges(trx, [settingChange(`principal:${person.id}`, 'granted', { by, at, data: given })]);
  });
}

/** Changes what a person may do, or switches the person off. Throws `not-found` for nobody. */
export async function changePerson(
  { db }: Postgres,
  id: string,
  {
    roles,
    companies,
    disable,
  }: { roles?: readonly Role[] | undefined; companies?: readonly string[] | undefined; disable: boolean },
  by: string,
  at: Date,
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const before = await trx
      .selectFrom('principals')
      .select(['roles', 'companies', 'disabled_at'])
      .where('id', '=', id)
      .where('kind', '=', 'human')
      .forUpdate()
      .executeTakeFirst();
    if (!before) throw new ClosewatchError('not-found', `there is no person ${id}`);
    const after = {
      roles: roles ? [...roles] : before.roles,
      companies: companies ? [...companies] : before.companies,
      disabled_at: disable ? at : null,
    };
    await trx.updateTable('principals').set(after).where('id', '=', id).execute();
    const who = { by, at, data: { before, after } };
    await appendChanges(trx, [settingChange(`principal:${id}`, disable ? 'disabled' : 'changed', who)]);
  });
}

/**
 * Links an account elsewhere to a person, whoever it was linked to before. All but a Slack account, with which nothing can be
 * approved, count once another person has confirmed it (`confirmLink`). Throws `not-found` for nobody.
 */
export async function linkIdentity(
  { db }: Postgres,
  person: string,
  identity: Identity,
  by: string,
  at: Date,
): Promise<void> {
  const { provider } = identity;
  const externalId = provider === 'email' ? plainEmail(identity.externalId) : identity.externalId;
  await db.transaction().execute(async (trx) => {
    const known = await trx
      .selectFrom('principals')
      .select('id')
      .where('id', '=', person)
      .where('kind', '=', 'human')
      .executeTakeFirst();
    if (!known) throw new ClosewatchError('not-found', `there is no person ${person}`);
    // Whose documents are whose, and who lets in whom, decides who may approve: that a second person confirms.
    const link = { principal: person, verified: provider === 'slack', linked_by: by, confirmed_by: null };
    await trx
      .insertInto('identities')
      .values({ provider, external_id: externalId, ...link })
      .onConflict((conflict) => conflict.columns(['provider', 'external_id']).doUpdateSet(link))
      .execute();
    const data = { provider, externalId: namedAs({ provider, externalId }) };
    await appendChanges(trx, [settingChange(`principal:${person}`, 'linked', { by, at, data })]);
  });
}

/** How the records name an account: an address is personal, and told by its domain alone. */
const namedAs = ({ provider, externalId }: Identity): string =>
  provider === 'email' ? externalId.replace(/^.*@/, '…@') : externalId;

/** Where links are that a second person confirms. */
export const CONFIRMED_PROVIDERS = ['source', 'oidc', 'email'] as const;
type ConfirmedProvider = (typeof CONFIRMED_PROVIDERS)[number];

/** An account that was linked, and that nobody has confirmed. */
export interface PendingLink {
  readonly provider: ConfirmedProvider;
  readonly account: string;
  readonly principal: string;
  readonly linkedBy: string | null;
}

export async function pendingLinks({ db }: Pick<Postgres, 'db'>): Promise<PendingLink[]> {
  const rows = await db
    .selectFrom('identities')
    .select(['provider', 'external_id', 'principal', 'linked_by'])
    .where('provider', 'in', CONFIRMED_PROVIDERS)
    .where('verified', '=', false)
    .orderBy('external_id')
    .limit(1_000)
    .execute();
  return rows.map((row) => ({
    provider: row.provider as ConfirmedProvider,
    account: row.external_id,
    principal: row.principal,
    linkedBy: row.linked_by,
  }));
}

/**
 * Confirms that an account is a person's, as another person who linked it not. Throws `not-found`, `state.conflict` when it
 * is confirmed, and `auth.forbidden` for who may not: it takes a person of the deployment with the role manager or admin, never the
 * administrator's token.
 */
export async function confirmLink(
  { db }: Postgres,
  { provider, account }: Pick<PendingLink, 'provider' | 'account'>,
  actor: Actor,
  at: Date,
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const known = await trx
      .selectFrom('principals')
      .select('id')
      .where('id', '=', actor.id)
      .where('kind', '=', 'human')
      .where('disabled_at', 'is', null)
      .executeTakeFirst();
    if (!known || !hasRole(actor, 'manager'))
      throw new ClosewatchError(
        'auth.forbidden',
        'a person with one of the roles manager, admin confirms links',
      );
    const link = await trx
      .selectFrom('identities')
      .selectAll()
      .where('provider', '=', provider)
      .where('external_id', '=', account)
      .forUpdate()
      .executeTakeFirst();
    if (!link) throw new ClosewatchError('not-found', `${account} is linked to nobody`);
    if (link.verified) throw new ClosewatchError('state.conflict', 'it is confirmed already');
    if (link.principal === actor.id || link.linked_by === actor.id)
      throw new ClosewatchError('auth.forbidden', 'another person confirms it');
    await trx
      .updateTable('identities')
      .set({ verified: true, confirmed_by: actor.id })
      .where('provider', '=', provider)
      .where('external_id', '=', account)
      .execute();
    const who = {
      by: actor.id,
      at,
      data: { provider, account: namedAs({ provider, externalId: account }), linkedBy: link.linked_by },
    };
    await appendChanges(trx, [settingChange(`principal:${link.principal}`, 'link confirmed', who)]);
  });
}

/** The people and their accounts elsewhere, by id. */
export async function listPeople({ db }: Postgres): Promise<Person[]> {
  const people = await db
    .selectFrom('principals')
    .select(['id', 'name', 'roles', 'companies'])
    .where('kind', '=', 'human')
    .where('disabled_at', 'is', null)
    .orderBy('id')
    .execute();
  const links = await db
    .selectFrom('identities')
    .select(['provider', 'external_id', 'principal', 'verified'])
    .orderBy('external_id')
    .execute();
  return people.map((person) => ({
    ...person,
    roles: person.roles as Role[],
    identities: links
      .filter(({ principal }) => principal === person.id)
      .map(({ provider, external_id, verified }) => ({
        provider: provider as Identity['provider'],
        externalId: external_id,
        isConfirmed: verified,
      })),
  }));
}

import { ClosewatchError } from '../../model/errors.ts';
import { type Actor, hasRole, type Role } from '../../model/principal.ts';
import { appendChanges, settingChange } from './change-log.ts';
import type { Postgres } from './database.ts';

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
  /** `source`: an account of a system that sends events, by the source and its id there: `/odoo/prod 7`. */
  readonly provider: 'slack' | 'source';
  readonly externalId: string;
}

export interface Person extends NewPerson {
  readonly identities: readonly Identity[];
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
 * Links an account elsewhere to a person, whoever it was linked to before. An account of a source counts once another person has
 * confirmed it (`confirmLink`). Throws `not-found` for nobody.
 */
export async function linkIdentity(
  { db }: Postgres,
  person: string,
  { provider, externalId }: Identity,
  by: string,
  at: Date,
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const known = await trx
      .selectFrom('principals')
      .select('id')
      .where('id', '=', person)
      .where('kind', '=', 'human')
      .executeTakeFirst();
    if (!known) throw new ClosewatchError('not-found', `there is no person ${person}`);
    // Whose documents are whose decides who may approve: that a second person confirms.
    const link = { principal: person, verified: provider === 'slack', linked_by: by, confirmed_by: null };
    await trx
      .insertInto('identities')
      .values({ provider, external_id: externalId, ...link })
      .onConflict((conflict) => conflict.columns(['provider', 'external_id']).doUpdateSet(link))
      .execute();
    const data = { provider, externalId };
    await appendChanges(trx, [settingChange(`principal:${person}`, 'linked', { by, at, data })]);
  });
}

/** An account of a source that was linked, and that nobody has confirmed. */
export interface PendingLink {
  readonly account: string;
  readonly principal: string;
  readonly linkedBy: string | null;
}

export async function pendingLinks({ db }: Pick<Postgres, 'db'>): Promise<PendingLink[]> {
  const rows = await db
    .selectFrom('identities')
    .select(['external_id', 'principal', 'linked_by'])
    .where('provider', '=', 'source')
    .where('verified', '=', false)
    .orderBy('external_id')
    .limit(1_000)
    .execute();
  return rows.map((row) => ({ account: row.external_id, principal: row.principal, linkedBy: row.linked_by }));
}

/**
 * Confirms that an account of a source is a person's, as another person who linked it not. Throws `not-found`, `state.conflict` when it
 * is confirmed, and `auth.forbidden` for who may not: it takes a person of the deployment with the role manager or admin, never the
 * administrator's token.
 */
export async function confirmLink({ db }: Postgres, account: string, actor: Actor, at: Date): Promise<void> {
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
      .where('provider', '=', 'source')
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
      .where('provider', '=', 'source')
      .where('external_id', '=', account)
      .execute();
    const who = { by: actor.id, at, data: { provider: 'source', account, linkedBy: link.linked_by } };
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
    .select(['provider', 'external_id', 'principal'])
    .orderBy('external_id')
    .execute();
  return people.map((person) => ({
    ...person,
    roles: person.roles as Role[],
    identities: links
      .filter(({ principal }) => principal === person.id)
      .map(({ provider, external_id }) => ({
        provider: provider as Identity['provider'],
        externalId: external_id,
      })),
  }));
}

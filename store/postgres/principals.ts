import { ClosewatchError } from '../../model/errors.ts';
import type { Role } from '../../model/principal.ts';
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

/** Links an account elsewhere to a person, whoever it was linked to before. Throws `not-found` for nobody. */
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
    await trx
      .insertInto('identities')
      .values({ provider, external_id: externalId, principal: person, verified: true })
      .onConflict((conflict) =>
        conflict.columns(['provider', 'external_id']).doUpdateSet({ principal: person, verified: true }),
      )
      .execute();
    const data = { provider, externalId };
    await appendChanges(trx, [settingChange(`principal:${person}`, 'linked', { by, at, data })]);
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

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FinanceEvent } from '../model/event.ts';
import type { Actor, Role } from '../model/principal.ts';
import {
  actorOfToken,
  createPrincipalToken,
  revokePrincipalTokens,
} from '../store/postgres/principal-tokens.ts';
import { confirmLink, linkIdentity, pendingLinks, putPerson } from '../store/postgres/principals.ts';
import { factsForProposal } from '../store/postgres/proposal-facts.ts';
import {
  type ApiHouse,
  apiHouse,
  TOKEN_OF_ACME,
  TOKEN_OF_ACME_SRE,
  TOKEN_OF_ACME_SUPPORT,
} from './api-house.ts';
import { exceptionRow } from './incident-house.ts';

/** Deciding over GraphQL: who may, who may not, and what one sees of it. */

let house: ApiHouse;
beforeAll(async () => {
  house = await apiHouse();
  const { db } = house.postgres;
  await db
    .insertInto('incidents')
    .values({
      id: 'i1',
      company: 'acme',
      cause_kind: 'rule',
      cause_key: 'MP-02',
      title: 'Bills',
      severity: 'high',
      opened_at: new Date(),
    })
    .execute();
  await db
    .insertInto('exceptions')
    .values({ ...exceptionRow('e1', { amount: '1000000' }), incident: 'i1' })
    .execute();
});
afterAll(() => house.close());

const PROPOSE = `mutation ($parameters: Json!) {
  proposeAction(incident: "i1", action: waive, parameters: $parameters, reason: "settled in writing") { id hash state tier } }`;
const until = new Date(Date.now() + 5 * 86_400_000).toISOString().slice(0, 10);

test('the administrator’s token decides nothing, and nobody without a role does', async () => {
  for (const token of [undefined, TOKEN_OF_ACME_SUPPORT]) {
    const { errors } = await house.graphql(PROPOSE, { parameters: { exceptions: ['e1'], until } }, token);
    expect(errors?.[0]?.extensions?.code).toBe('auth.forbidden');
  }
  const malformed = await house.graphql(PROPOSE, { parameters: { exceptions: ['e1'], until: '2999-01-01' } });
  expect(malformed.errors?.[0]?.extensions?.code).toBe('request.malformed');
});

test('what belongs to another company is not there', async () => {
  const { data } = await house.graphql('{ proposal(id: "none") { id } }');
  expect(data).toEqual({ proposal: null });
  const { errors } = await house.graphql(
    'mutation { approveProposal(id: "none", hash: "x") { id } }',
    {},
    TOKEN_OF_ACME,
  );
  expect(errors?.[0]?.extensions?.code).toBe('not-found');
});

test('a token of a person holds until it is revoked, or the person is disabled', async () => {
  const { postgres } = house;
  const at = new Date();
  await putPerson(postgres, { id: 'sam', name: 'Sam', roles: ['finance'], companies: ['acme'] }, 'test', at);
  const wish = { principal: 'sam', by: 'test', at, expiresAt: new Date(at.getTime() + 60_000) };
  const token = await createPrincipalToken(postgres, wish);
  expect(await actorOfToken(postgres, token, at)).toMatchObject({ id: 'sam', roles: ['finance'] });
  expect(await actorOfToken(postgres, `${token}x`, at)).toBeUndefined();
  expect(await actorOfToken(postgres, token, new Date(at.getTime() + 60_000))).toBeUndefined();
  await expect(createPrincipalToken(postgres, { ...wish, principal: 'nobody' })).rejects.toMatchObject({
    code: 'not-found',
  });
  expect(await revokePrincipalTokens(postgres, wish)).toBe(1);
  expect(await actorOfToken(postgres, token, at)).toBeUndefined();
});

test('the audit is for auditors, of their companies', async () => {
  const QUERY = '{ audit(first: 50) { edges { node { seq change actor company entity } } } }';
  const all = await house.graphql(QUERY);
  expect(all.data.audit.edges.map(({ node }: { node: { change: string } }) => node.change)).toContain(
    'token created',
  );
  const { errors } = await house.graphql(QUERY, {}, TOKEN_OF_ACME_SUPPORT);
  expect(errors?.[0]?.extensions?.code).toBe('auth.forbidden');
});

test('a cause is seen over companies, without amounts, by SREs; alike incidents are suggested', async () => {
  const { db } = house.postgres;
  const one = {
    cause_kind: 'interface-error',
    cause_key: 'tax|post',
    severity: 'high' as const,
    opened_at: new Date(),
  };
  for (const [id, company] of [
    ['t1', 'acme'],
    ['t2', 'globex'],
  ] as const)
    await db
      .insertInto('incidents')
      .values({ ...one, id, company, title: 'tax-engine fails: post, 503', open_exceptions: 3 })
      .execute();
  await db
    .insertInto('incidents')
    .values({ ...one, id: 't3', company: 'acme', cause_key: 'tax|get', title: 'tax-engine fails: get, 503' })
    .execute();
  const QUERY = '{ causes { kind key companies incidents openExceptions severity } }';
  const { data } = await house.graphql(QUERY, {}, TOKEN_OF_ACME_SRE);
  expect(data.causes[0]).toEqual({
    kind: 'interface_error',
    key: 'tax|post',
    companies: 2,
    incidents: 2,
    openExceptions: 6,
    severity: 'high',
  });
  const denied = await house.graphql(QUERY, {}, TOKEN_OF_ACME_SUPPORT);
  expect(denied.errors?.[0]?.extensions?.code).toBe('auth.forbidden');
  const alike = await house.graphql(
    '{ incident(id: "t1") { exceptionsLastHour alike { id } } }',
    {},
    TOKEN_OF_ACME,
  );
  expect(alike.data.incident).toEqual({ exceptionsLastHour: 0, alike: [{ id: 't3' }] });
});

test('an account of a source counts once a second person has confirmed it', async () => {
  const { postgres } = house;
  const at = new Date();
  for (const [id, roles] of [
    ['ann', ['finance']],
    ['kim', ['manager']],
    ['lee', ['manager']],
  ] as const)
    await putPerson(postgres, { id, name: id, roles: [...roles], companies: ['*'] }, 'test', at);
  const actor = (id: string, roles: Role[]): Actor => ({
    kind: 'human',
    id,
    name: id,
    roles,
    companies: ['*'],
  });
  const account = '/odoo/prod 7';
  await linkIdentity(postgres, 'ann', { provider: 'source', externalId: account }, 'kim', at);
  expect(await pendingLinks(postgres)).toEqual([
    { provider: 'source', account, principal: 'ann', linkedBy: 'kim' },
  ]);
  const made = { id: 'x', source: '/odoo/prod', type: 'bill.posted', actorId: '7', actorKind: 'human' };
  const facts = () =>
    factsForProposal(
      postgres,
      { byRefs: async () => [{ ...made, company: 'acme' }] as unknown as FinanceEvent[] },
      { id: 'i1', company: 'acme' },
      { currency: 'EUR' },
    );
  expect((await facts()).makers).toEqual([{ kind: 'human', account }]);
  for (const who of [
    actor('kim', ['manager']),
    actor('ann', ['manager']),
    actor('ann', ['finance']),
    actor('admin', ['admin']),
  ])
    await expect(confirmLink(postgres, { provider: 'source', account }, who, at)).rejects.toMatchObject({
      code: 'auth.forbidden',
    });
  await confirmLink(postgres, { provider: 'source', account }, actor('lee', ['manager']), at);
  expect((await facts()).makers).toEqual([{ kind: 'human', account, principal: 'ann' }]);
  await expect(
    confirmLink(postgres, { provider: 'source', account }, actor('lee', ['manager']), at),
  ).rejects.toMatchObject({
    code: 'state.conflict',
  });
});

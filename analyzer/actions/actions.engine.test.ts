import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ActionKind } from '../../model/action.ts';
import { checkChain } from '../../model/audit.ts';
import { flow } from '../../model/flow.ts';
import { DEFAULT_POLICY } from '../../model/policy.ts';
import type { Role } from '../../model/principal.ts';
import type { Maker } from '../../model/proposal.ts';
import { connectOdoo, type Odoo } from '../../odoo/client.ts';
import { undo } from '../../store/postgres/action-effects.ts';
import { auditRows } from '../../store/postgres/audit.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { changePerson, putPerson } from '../../store/postgres/principals.ts';
import {
  asExecutor,
  decideOn,
  findProposal,
  forgetRehearsal,
  propose,
  type StoredProposal,
} from '../../store/postgres/proposals.ts';
import { acme, exceptionRow, memoryLogger, temporaryPostgres } from '../../test/incident-house.ts';
import { OdooStandIn } from '../../test/stand-ins/odoo/server.ts';
import { createExecutor, type Executor } from './execute.ts';

/** Proposals, decisions and their execution on a real database, in a stand-in Odoo and for a receiver of webhooks. */

let postgres: Postgres;
let close: () => Promise<void>;
let odooServer: OdooStandIn;
let odoo: Odoo;
let hasWriter = true;
let bill = 0;
const received: { headers: Record<string, unknown>; body: string }[] = [];
let answers: number[] = [];
const receiver = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.on('end', () => {
    received.push({ headers: request.headers, body });
    response.writeHead(answers.shift() ?? 200).end();
  });
});
const SECRET = `whsec_${Buffer.from('a'.repeat(32)).toString('base64')}`;
let executor: Executor;
const policy = DEFAULT_POLICY;
let now = new Date('2026-05-04T10:00:00Z');
const later = (hours: number): Date => {
  now = new Date(now.getTime() + hours * 3_600_000);
  return now;
};

beforeAll(async () => {
  ({ postgres, close } = await temporaryPostgres());
  odooServer = new OdooStandIn(18, [{ login: 'writer', secret: 'secret', rights: 'settings' }]);
  odoo = await connectOdoo({
    url: await odooServer.listen(),
    login: 'writer',
    secret: 'secret',
    database: 'acme',
    pace: { perSecond: 1000, parallel: 4 },
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  executor = createExecutor({
    postgres,
    policy,
    flows: [flow.parse({ flow: 'ap-bills', name: 'Bills', owner: 'ap', redriveUrl: url })],
    writer: async () => (hasWriter ? odoo : undefined),
    ticketUrl: url,
    signingSecret: SECRET,
    logger: memoryLogger(),
  });
  const people: [string, Role[], string[]][] = [
    ['sam', ['finance'], ['acme']],
    ['kim', ['manager'], ['acme']],
    ['ann', ['finance', 'manager'], ['*']],
    ['eve', ['manager'], ['globex']],
    ['bob', ['support', 'admin'], ['*']],
  ];
  for (const [id, roles, companies] of people)
    await putPerson(postgres, { id, name: id, roles, companies }, 'test', now);
  await postgres.db
    .insertInto('principals')
    .values([
      { id: 'bot', kind: 'service', name: 'bot', roles: ['finance', 'manager'], companies: ['*'] },
      { id: 'llm', kind: 'model', name: 'llm' },
    ])
    .execute();
  await postgres.db
    .insertInto('incidents')
    .values({
      id: 'i1',
      company: 'acme',
      cause_kind: 'rule',
      cause_key: 'MP-02',
      title: 'Bills are missing',
      severity: 'high',
      opened_at: now,
    })
    .execute();
  await postgres.db
    .insertInto('exceptions')
    .values(['e1', 'e2'].map((id) => ({ ...exceptionRow(id), incident: 'i1' })))
    .execute();
});
afterAll(async () => {
  receiver.close();
  await odooServer.close();
  await close();
});
beforeEach(() => {
  hasWriter = true;
  received.length = 0;
  answers = [];
  bill = odooServer.db.transaction(1, (tx) =>
    tx.create('account.move', { move_type: 'in_invoice', company_id: 1, state: 'draft', date: '2026-05-04' }),
  );
});

interface Wish {
  readonly makers?: readonly Maker[];
  readonly amount?: string;
  readonly by?: string;
}

async function proposed(action: ActionKind, parameters: unknown, wish: Wish = {}): Promise<StoredProposal> {
  const stored = await propose(
    postgres,
    {
      incident: 'i1',
      company: 'acme',
      action,
      parameters,
      reason: 'a test',
      evidence: [1],
      origin: wish.by ? 'human' : 'rules',
      by: wish.by,
      amount: wish.amount ?? '1150',
      materiality: acme.materiality,
      makers: wish.makers ?? [],
    },
    { policy, at: now },
  );
  if (!stored) throw new Error('it is proposed already');
  return stored;
}

const decide = (id: string, kind: 'adopt' | 'approve' | 'reject', by: string, hash: string) =>
  decideOn(postgres, id, { kind, by, hash }, { policy, at: now });
const run = () => executor.run(() => now);
const stateOf = async (id: string) => (await findProposal(postgres, id))?.row;
const posting = () => ({ source: '/odoo/prod', id: bill });

test('a posting takes two people: who adopts it, and another who approves exactly that', async () => {
  const { row } = await proposed('rerun-posting', posting());
  const { id, hash } = row;
  await run();
  expect(await stateOf(id)).toMatchObject({ state: 'proposed' });
  await expect(decide(id, 'approve', 'kim', hash)).rejects.toThrow('a person must stand for it first');
  for (const [who, why] of [
    ['llm', 'a model decides nothing'],
    ['bot', 'a service decides nothing'],
    ['bob', 'needs one of the roles'],
    ['admin', 'admin is nobody here'],
    ['eve', 'no access to company acme'],
  ] as const)
    await expect(decide(id, 'adopt', who, hash)).rejects.toThrow(why);
  await decide(id, 'adopt', 'sam', hash);
  await run();
  expect(await stateOf(id)).toMatchObject({ state: 'adopted' });
  for (const [who, why] of [
    ['sam', 'who made or adopted a proposal does not approve it'],
    ['llm', 'a model decides nothing'],
    ['bot', 'a service decides nothing'],
    ['bob', 'needs one of the roles'],
    ['eve', 'no access to company acme'],
  ] as const)
    await expect(decide(id, 'approve', who, hash)).rejects.toThrow(why);
  await expect(decide(id, 'approve', 'kim', 'f'.repeat(64))).rejects.toThrow('it was changed meanwhile');
  await decide(id, 'approve', 'kim', hash);
  hasWriter = false;
  await run();
  expect(await stateOf(id)).toMatchObject({ state: 'approved' });
  hasWriter = true;
  await run();
  expect(await stateOf(id)).toMatchObject({
    state: 'done',
    outcome: 'done',
    before: { state: 'draft' },
    after: { state: 'posted' },
    attempts: 1,
  });
  await expect(decide(id, 'approve', 'ann', hash)).rejects.toThrow('it is done already');
  await run();
  expect(await stateOf(id)).toMatchObject({ attempts: 1 });
});

test('an edit voids the approval, and who edited approves no more', async () => {
  const { row } = await proposed('rerun-posting', posting());
  await decide(row.id, 'adopt', 'sam', row.hash);
  await decide(row.id, 'approve', 'kim', row.hash);
  const parameters = { source: '/odoo/prod', id: bill + 1 };
  const edited = await decideOn(
    postgres,
    row.id,
    { kind: 'edit', by: 'ann', parameters, amount: '1150', band: 'below' },
    { policy, at: now },
  );
  expect(edited.row).toMatchObject({ state: 'adopted', editors: ['sam', 'ann'] });
  expect(edited.row.hash).not.toBe(row.hash);
  await run();
  expect(await stateOf(row.id)).toMatchObject({ state: 'adopted' });
  await expect(decide(row.id, 'approve', 'sam', edited.row.hash)).rejects.toThrow('does not approve it');
  await decide(row.id, 'reject', 'kim', edited.row.hash);
  expect(await stateOf(row.id)).toMatchObject({ state: 'rejected' });
});

test('what was decided is looked at again when it runs', async () => {
  const first = await proposed('rerun-posting', posting());
  const { id, hash } = first.row;
  await decide(id, 'adopt', 'sam', hash);
  await decide(id, 'approve', 'kim', hash);
  await changePerson(postgres, 'kim', { roles: ['auditor'], disable: false }, 'test', now);
  await run();
  expect(await stateOf(id)).toMatchObject({ state: 'approved' });
  await changePerson(postgres, 'kim', { roles: ['manager'], disable: true }, 'test', now);
  await run();
  expect(await stateOf(id)).toMatchObject({ state: 'approved' });
  await changePerson(postgres, 'kim', { disable: false }, 'test', now);
  later(25);
  await run();
  expect(await stateOf(id)).toMatchObject({ state: 'approved' });
  later(24 * 7);
  await run();
  expect(await stateOf(id)).toMatchObject({ state: 'expired' });
  expect(odooServer.db.rows('account.move').find(({ id: one }) => one === bill)).toMatchObject({
    state: 'draft',
  });
});

test('who made a document of the case does not approve, and an unknown maker lets nobody', async () => {
  const mine = await proposed('rerun-posting', posting(), {
    makers: [{ kind: 'human', account: '/odoo/prod 7', principal: 'kim' }],
  });
  await decide(mine.row.id, 'adopt', 'sam', mine.row.hash);
  await expect(decide(mine.row.id, 'approve', 'kim', mine.row.hash)).rejects.toThrow('who made a document');
  await decide(mine.row.id, 'reject', 'sam', mine.row.hash);
  const unknown = await proposed('rerun-posting', posting(), {
    makers: [
      { kind: 'human', account: '/odoo/prod 9' },
      { kind: 'service', account: '/odoo/prod 1' },
    ],
  });
  await decide(unknown.row.id, 'adopt', 'sam', unknown.row.hash);
  await expect(decide(unknown.row.id, 'approve', 'kim', unknown.row.hash)).rejects.toThrow(
    'nobody knows who /odoo/prod 9 is',
  );
  await decide(unknown.row.id, 'reject', 'sam', unknown.row.hash);
});

test('the database holds to it, whoever writes to it', async () => {
  const { row } = await proposed('rerun-posting', posting(), {
    makers: [{ kind: 'human', account: '/odoo/prod 7', principal: 'ann' }],
  });
  await decide(row.id, 'adopt', 'sam', row.hash);
  const approval = (approver: string, more = {}) =>
    postgres.db
      .insertInto('approvals')
      .values({
        proposal: row.id,
        number: 1,
        hash: row.hash,
        approver,
        roles: [],
        at: now,
        expires_at: now,
        ...more,
      })
      .execute();
  await expect(approval('sam')).rejects.toThrow('does not approve it');
  await expect(approval('ann')).rejects.toThrow('does not approve it');
  await expect(approval('bot')).rejects.toThrow(/foreign key/);
  await expect(approval('llm')).rejects.toThrow(/foreign key/);
  await expect(approval('kim', { hash: 'other' })).rejects.toThrow('of something else');
  await expect(approval('kim', { used_at: now })).rejects.toThrow('before it is used');
  await expect(
    postgres.db
      .updateTable('principals')
      .set({ roles: ['manager'] })
      .where('id', '=', 'llm')
      .execute(),
  ).rejects.toThrow(/check/);
  // The worker's rights let it decide nothing.
  for (const statement of [
    `INSERT INTO approvals (proposal, number, hash, approver, roles, at, expires_at) VALUES ('${row.id}', 1, '${row.hash}', 'kim', '{}', now(), now())`,
    `UPDATE proposals SET parameters = '{}'`,
    `UPDATE proposals SET editors = '{kim}'`,
    `UPDATE principals SET roles = '{manager}'`,
    'DELETE FROM audit',
    'DELETE FROM proposals',
  ])
    await expect(
      asExecutor(postgres, async (trx) => {
        const { sql } = await import('kysely');
        await sql.raw(statement).execute(trx);
      }),
    ).rejects.toThrow(/permission denied/);
  await decide(row.id, 'approve', 'kim', row.hash);
  await expect(postgres.pool.query('DELETE FROM closewatch.approvals')).rejects.toThrow(
    'neither changed nor removed',
  );
  await expect(postgres.pool.query(`UPDATE closewatch.approvals SET approver = 'eve'`)).rejects.toThrow(
    /stands|used once/,
  );
  await decide(row.id, 'reject', 'kim', row.hash);
});

test('one person is enough for what is small, and the same waits once', async () => {
  const given = { flow: 'ap-bills', events: [{ source: '/ocr/capture', id: 'x' }] };
  const { row } = await proposed('redrive-events', given, { amount: '100' });
  await expect(proposed('redrive-events', given, { amount: '100' })).rejects.toThrow('already');
  answers = [503, 200];
  await decide(row.id, 'adopt', 'sam', row.hash);
  await run();
  expect(await stateOf(row.id)).toMatchObject({
    state: 'running',
    outcome: 'action.unreachable',
    attempts: 1,
  });
  await run();
  expect(received).toHaveLength(1);
  later(0.1);
  await run();
  expect(await stateOf(row.id)).toMatchObject({ state: 'done', attempts: 2 });
  expect(received).toHaveLength(2);
  for (const { headers, body } of received) {
    expect(headers['webhook-id']).toBe(row.id);
    expect(new Webhook(SECRET).verify(body, headers as Record<string, string>)).toMatchObject({
      type: 'closewatch.redrive',
      events: given.events,
    });
  }
  const large = await proposed('redrive-events', given, { amount: '5000' });
  await decide(large.row.id, 'adopt', 'sam', large.row.hash);
  await run();
  expect(await stateOf(large.row.id)).toMatchObject({ state: 'adopted' });
  answers = [400];
  await decide(large.row.id, 'approve', 'kim', large.row.hash);
  await run();
  expect(await stateOf(large.row.id)).toMatchObject({ state: 'failed', outcome: 'action.refused' });
});

test('an action that a dead worker left behind goes on under the same key, and is done once', async () => {
  const { row } = await proposed('requeue-job', { source: '/odoo/prod', job: 1 });
  await decide(row.id, 'adopt', 'sam', row.hash);
  await postgres.db
    .updateTable('proposals')
    .set({ state: 'running', attempts: 1, held_until: now })
    .where('id', '=', row.id)
    .execute();
  later(0.01);
  await run();
  // The stand-in has no such job: what Odoo refuses for good is not tried for ever.
  expect(await stateOf(row.id)).toMatchObject({ state: 'failed', attempts: 2 });
});

test('waived exceptions stand, and are open again when the waiver ends', async () => {
  const { row } = await proposed(
    'waive',
    { exceptions: ['e1'], until: '2026-06-30' },
    { by: 'sam', amount: '100' },
  );
  expect(row).toMatchObject({ state: 'adopted', origin: 'human', editors: ['sam'] });
  await run();
  expect(await stateOf(row.id)).toMatchObject({ state: 'done', after: { waived: 1 } });
  const exception = () =>
    postgres.db.selectFrom('exceptions').selectAll().where('id', '=', 'e1').executeTakeFirst();
  expect(await exception()).toMatchObject({ state: 'waived' });
  now = new Date('2026-07-01T00:00:00Z');
  await run();
  expect(await exception()).toMatchObject({ state: 'open' });
});

test('what a proposal would do is tried without doing it, again when it was changed or somebody asks', async () => {
  const { row: post } = await proposed('rerun-posting', posting());
  const { row: ticket } = await proposed('open-ticket', { title: 'a', text: 'b' });
  const { row: waiver } = await proposed(
    'waive',
    { exceptions: ['e2'], until: '2026-07-31' },
    { amount: '100' },
  );
  const { row: job } = await proposed('requeue-job', { source: '/odoo/prod', job: 4711 });
  const audited = async () =>
    Number(
      (
        await postgres.db
          .selectFrom('audit')
          .select((one) => one.fn.countAll().as('n'))
          .execute()
      )[0]?.n,
    );
  const before = await audited();
  await run();
  const tried = async (id: string) => (await stateOf(id))?.rehearsal;
  expect(await tried(post.id)).toMatchObject({
    hash: post.hash,
    outcome: 'would',
    before: { state: 'draft' },
    after: { state: 'draft' },
  });
  expect(await tried(ticket.id)).toMatchObject({ outcome: 'would', after: { body: { title: 'a' } } });
  expect(await tried(waiver.id)).toMatchObject({ outcome: 'would', after: { waived: 1 } });
  expect(await tried(job.id)).toMatchObject({ outcome: expect.stringMatching(/^odoo\./) });
  // Nothing was done, and nothing is told of it in the chain.
  expect(received).toHaveLength(0);
  expect(await odoo.read('account.move', [bill], ['state'])).toMatchObject([{ state: 'draft' }]);
  const e2 = () => postgres.db.selectFrom('exceptions').select('state').where('id', '=', 'e2').execute();
  expect(await e2()).toEqual([{ state: 'open' }]);
  expect(await postgres.db.selectFrom('waivers').selectAll().where('exception', '=', 'e2').execute()).toEqual(
    [],
  );
  expect(await audited()).toBe(before);
  for (const { id } of [post, ticket, waiver, job])
    expect(await stateOf(id)).toMatchObject({ state: 'proposed', version: 1, attempts: 0 });

  hasWriter = false;
  await run();
  expect(await tried(post.id)).toMatchObject({ outcome: 'would' });
  await forgetRehearsal(postgres, post.id);
  await run();
  expect(await tried(post.id)).toMatchObject({
    outcome: 'waits',
    error: expect.stringContaining('no writer'),
  });
  hasWriter = true;
  await run();
  expect(await tried(post.id)).toMatchObject({ outcome: 'waits' });
  later(0.1);
  await run();
  expect(await tried(post.id)).toMatchObject({ outcome: 'would' });
  for (const { id, hash } of [post, ticket, job]) await decide(id, 'reject', 'sam', hash);

  // What was waived is undone by a person, once.
  await decide(waiver.id, 'adopt', 'sam', waiver.hash);
  await expect(undo(postgres, waiver, { actor: 'sam', reason: 'not yet', at: now })).rejects.toThrow(
    'only what was done',
  );
  await run();
  expect(await e2()).toEqual([{ state: 'waived' }]);
  await undo(postgres, waiver, { actor: 'sam', reason: 'by mistake', at: now });
  expect(await e2()).toEqual([{ state: 'open' }]);
  expect(await stateOf(waiver.id)).toMatchObject({ state: 'done', outcome: 'undone' });
  const again = { actor: 'sam', reason: 'again', at: now };
  await expect(undo(postgres, waiver, again)).rejects.toThrow('not undone');
  await expect(undo(postgres, post, again)).rejects.toThrow('rerun-posting cannot be undone');
});

test('of a resolved incident nothing is decided any more, and nothing runs', async () => {
  const { row } = await proposed('rerun-posting', posting());
  await decide(row.id, 'adopt', 'sam', row.hash);
  await decide(row.id, 'approve', 'kim', row.hash);
  const set = (state: 'open' | 'resolved') =>
    postgres.db.updateTable('incidents').set({ state }).where('id', '=', 'i1').execute();
  await set('resolved');
  await run();
  expect(await stateOf(row.id)).toMatchObject({ state: 'approved' });
  await expect(proposed('open-ticket', { title: 't', text: 't' }, { by: 'sam' })).rejects.toThrow(
    'is resolved',
  );
  await set('open');
  await decide(row.id, 'reject', 'kim', row.hash);
});

test('every decision and every run is in the chain, which is whole', async () => {
  const check = checkChain();
  const said: string[] = [];
  for await (const row of auditRows(postgres.db)) {
    check.add(row);
    const { entity, change, actor } = JSON.parse(row.body);
    if (entity === 'proposal') said.push(`${change} ${actor.kind}`);
  }
  expect(check.end().fault).toBeUndefined();
  for (const one of [
    'proposed system',
    'adopted human',
    'approved human',
    'edited human',
    'rejected human',
    'started system',
    'done system',
    'failed system',
    'tried system',
    'expired system',
    'undone human',
  ])
    expect(said).toContain(one);
});

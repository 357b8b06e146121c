import { afterEach, describe, expect, test } from 'vitest';
import { createActivity, postMessage, rerunPosting, retryJob } from '../odoo/actor.ts';
import { connectOdoo } from '../odoo/client.ts';
import { OdooStandIn } from './stand-ins/odoo/server.ts';

let server: OdooStandIn | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(major: number) {
  server = new OdooStandIn(major, [{ login: 'writer', secret: 'secret', rights: 'settings' }]);
  const pace = { perSecond: 1000, parallel: 4 };
  const odoo = await connectOdoo({
    url: await server.listen(),
    login: 'writer',
    secret: 'secret',
    database: 'acme',
    pace,
  });
  const bill = server.db.transaction(1, (tx) =>
    tx.create('account.move', { move_type: 'in_invoice', company_id: 1 }),
  );
  return { server, odoo, bill };
}

describe.each([17, 18, 19])('acting in an Odoo of %i', (major) => {
  test('an activity is made once a key, with text that is no markup; a dry run makes none', async () => {
    const {
      server: { db },
      odoo,
      bill,
    } = await start(major);
    const target = { model: 'account.move', id: bill };
    const given = {
      userId: 2,
      summary: 'Please approve',
      note: '<b>1150</b> & more',
      deadline: '2026-11-30',
    };
    expect(await createActivity(odoo, target, given, { key: 'a', dryRun: true })).toMatchObject({
      outcome: 'would',
    });
    expect(db.rows('mail.activity')).toEqual([]);
    expect(await createActivity(odoo, target, given, { key: 'a' })).toEqual({
      outcome: 'done',
      before: { activities: 0, messages: 0 },
      after: { activities: 1, messages: 0 },
    });
    expect(await createActivity(odoo, target, given, { key: 'a' })).toMatchObject({ outcome: 'already' });
    expect(await createActivity(odoo, target, given, { key: 'b' })).toMatchObject({ outcome: 'done' });
    const [first, ...others] = db.rows('mail.activity');
    expect(others).toHaveLength(1);
    expect(first).toMatchObject({
      res_id: bill,
      user_id: 2,
      date_deadline: '2026-11-30',
      summary: 'Please approve',
    });
    expect(first?.note).toMatch(
      /^<p>&lt;b&gt;1150&lt;\/b&gt; &amp; more<\/p><p>Closewatch [0-9a-f]{12}<\/p>$/,
    );
  });

  test('a note is posted once a key', async () => {
    const {
      server: { db },
      odoo,
      bill,
    } = await start(major);
    const target = { model: 'account.move', id: bill };
    for (const outcome of ['done', 'already'])
      expect(await postMessage(odoo, target, { text: 'Asked the supplier.' }, { key: 'a' })).toMatchObject({
        outcome,
      });
    const notes = db.rows('mail.message').filter(({ body }) => String(body).includes('Asked'));
    expect(notes).toHaveLength(1);
    await expect(
      postMessage(odoo, { model: 'account.move', id: 999 }, { text: '' }, { key: 'a' }),
    ).rejects.toMatchObject({
      code: 'odoo.missing',
    });
  });

  test('a failed job goes back into its queue, another is left alone', async () => {
    const {
      server: { db },
      odoo,
    } = await start(major);
    const [failed, done] = db.transaction(1, (tx) => [
      tx.create('queue.job', { state: 'failed', retry: 5, exc_name: 'odoo.exceptions.UserError' }),
      tx.create('queue.job', { state: 'done' }),
    ]) as [number, number];
    expect(await retryJob(odoo, failed, { key: 'a', dryRun: true })).toMatchObject({ outcome: 'would' });
    expect(await retryJob(odoo, failed, { key: 'a' })).toMatchObject({
      outcome: 'done',
      before: { state: 'failed', retry: 5 },
      after: { state: 'pending', retry: 0 },
    });
    expect(await retryJob(odoo, failed, { key: 'a' })).toMatchObject({ outcome: 'already' });
    expect(await retryJob(odoo, done, { key: 'a' })).toMatchObject({
      outcome: 'already',
      after: { state: 'done' },
    });
  });

  test('a draft is posted once; a dialogue of Odoo is a refusal, and a cancelled entry too', async () => {
    const { server: odooServer, odoo, bill } = await start(major);
    expect(await rerunPosting(odoo, bill, { key: 'a' })).toMatchObject({
      outcome: 'done',
      before: { state: 'draft' },
      after: { state: 'posted' },
    });
    expect(await rerunPosting(odoo, bill, { key: 'a' })).toMatchObject({ outcome: 'already' });
    const [stuck, cancelled] = odooServer.db.transaction(1, (tx) => [
      tx.create('account.move', { company_id: 1 }),
      tx.create('account.move', { company_id: 1, state: 'cancel' }),
    ]) as [number, number];
    odooServer.refusesPosting.add(stuck);
    await expect(rerunPosting(odoo, stuck, { key: 'a' })).rejects.toMatchObject({ code: 'odoo.refused' });
    await expect(rerunPosting(odoo, cancelled, { key: 'a' })).rejects.toMatchObject({ code: 'odoo.refused' });
  });
});

test('what was done though no answer came is not done again', async () => {
  const { server: odooServer, odoo, bill } = await start(18);
  odooServer.swallow = 'account.move/action_post';
  expect(await rerunPosting(odoo, bill, { key: 'a' })).toMatchObject({
    outcome: 'done',
    after: { state: 'posted' },
  });
  expect(odooServer.calls.filter((call) => call === 'account.move/action_post')).toHaveLength(1);
});

import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, expect, test } from 'vitest';
import { closewatch, environment, INGEST_TOKEN, temporaryFolder, type Up, up } from '../test/harness.ts';

const folder = temporaryFolder();
let running: Up | undefined;
afterAll(async () => {
  await running?.kill();
  folder.remove();
});

test('a refused event is listed, shown without steering the terminal, and discarded with a reason', async () => {
  running = await up(folder.path);
  const refused = await fetch(`${running.collectorUrl}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${INGEST_TOKEN}`, 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify({ specversion: '1.0', id: 'e-1', note: '\u001b[2Jgone\u202e' }),
  });
  expect(refused.status).toBe(422);
  const run = (...args: string[]) => closewatch(['dead-letters', ...args], environment(folder.path));
  const listed = await run('list', '--json');
  expect(listed, listed.stderr).toMatchObject({ code: 0 });
  const [letter] = JSON.parse(listed.stdout).deadLetters;
  expect(letter).toMatchObject({ state: 'open', reason: 'invalid', eventId: 'e-1' });
  expect((await run('list')).stdout).toContain(`${letter.id}  ${letter.receivedAt}`);

  const shown = await run('show', letter.id);
  expect(shown.stdout).toMatch(/^received {3}/);
  expect(shown.stdout).toContain('e-1');
  expect(shown.stdout).not.toMatch(/(?![\n\t])[\p{Cc}\p{Cf}]/u);
  expect(await run('show', '999')).toMatchObject({ code: 1, stderr: expect.stringContaining('999') });
  expect(await run('show', 'x')).toMatchObject({ code: 2 });

  const doctor = await closewatch(['doctor', '--json'], environment(folder.path));
  expect(doctor, doctor.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(doctor.stdout).checks).toContainEqual(
    expect.objectContaining({
      name: 'dead letters',
      state: 'note',
      advice: expect.stringContaining('closewatch inbox list'),
    }),
  );

  expect(await run('discard', letter.id)).toMatchObject({ code: 2 });
  expect(await run('discard', letter.id, '--reason', 'a test')).toMatchObject({ code: 0 });
  expect(await run('discard', letter.id, '--reason', 'again')).toMatchObject({ code: 1 });
  expect(JSON.parse((await run('list', '--json')).stdout)).toEqual({ deadLetters: [] });
  expect(JSON.parse((await run('list', '--state', 'discarded', '--json')).stdout).deadLetters).toMatchObject([
    { id: letter.id, decidedReason: 'a test', decidedBy: expect.any(String) },
  ]);
});

test('refused for its time and sent on: replayed by number and by filter, tried before; accepted events are listed', async () => {
  running ??= await up(folder.path);
  const { collectorUrl } = running;
  const run = (...args: string[]) => closewatch(['inbox', ...args], environment(folder.path));
  const send = async (id: string, time: Date) =>
    (
      await fetch(`${collectorUrl}/v1/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${INGEST_TOKEN}`, 'content-type': 'application/cloudevents+json' },
        body: JSON.stringify({
          specversion: '1.0',
          id,
          source: '/clock/ahead',
          type: 'closewatch.bill.posted.v1',
          time: time.toISOString(),
          data: {
            object: { kind: 'bill' },
            org: { companyKey: 'acme' },
            keys: [{ type: 'docno', value: id }],
          },
        }),
      })
    ).status;
  // The clock of its sender is ahead: what is refused now is good in a while.
  const aheadBy = (ms: number) => new Date(Date.now() + 86_400_000 + ms);
  expect(await send('soon', aheadBy(5_000))).toBe(422);
  expect(await send('never', aheadBy(3_600_000))).toBe(422);
  expect(await run('replay')).toMatchObject({ code: 2, stderr: expect.stringContaining('say which') });
  expect(await run('discard', '--reason', 'x')).toMatchObject({ code: 2 });
  const chosen = [
    '--source',
    '/clock',
    '--type',
    'bill.posted',
    '--refused',
    'invalid',
    '--since',
    '1h',
    '--company',
    'acme',
  ];
  const letters = JSON.parse((await run('list', '--json', ...chosen)).stdout).deadLetters;
  expect(letters.map(({ eventId }: { eventId: string }) => eventId)).toEqual(['never', 'soon']);
  expect(JSON.parse((await run('list', '--json', '--type', 'bill.paid')).stdout)).toEqual({
    deadLetters: [],
  });
  const outcomes = async (...args: string[]) =>
    JSON.parse((await run('replay', '--json', ...args)).stdout).replayed.map(
      ({ outcome }: { outcome: string }) => outcome,
    );
  await expect
    .poll(() => outcomes(...chosen, '--dry-run'), { timeout: 60_000 })
    .toEqual(['accepted', 'refused']);
  const replayed = await run('replay', ...chosen);
  expect(replayed).toMatchObject({ code: 3 });
  expect(replayed.stdout.split('\n').map((line) => line.split('  ')[1])).toEqual([
    'accepted',
    'refused',
    undefined,
  ]);
  expect(await run('replay', letters[1].id)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('settled'),
  });
  expect(await run('discard', ...chosen, '--reason', 'a clock', '--dry-run')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('would be discarded'),
  });
  expect(await run('discard', ...chosen, '--reason', 'a clock')).toMatchObject({ code: 0 });

  const states = async () =>
    JSON.parse((await run('list', '--events', '--source', '/clock', '--json')).stdout).events.map(
      ({ id, state }: { id: string; state: string }) => `${id} ${state}`,
    );
  await expect.poll(states, { timeout: 60_000 }).toEqual(['soon stored']);
  expect((await run('show', '--source', '/clock/ahead', '--event', 'soon')).stdout).toContain('"docno"');
  expect(await run('show', '--source', '/clock/ahead', '--event', 'none')).toMatchObject({ code: 1 });
  expect(await run('replay', '--events', '--source', '/clock')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('again: 1'),
  });
  await expect.poll(states, { timeout: 60_000 }).toEqual(['soon replayed']);
  expect(await run('list', '--events', '--state', 'open')).toMatchObject({ code: 2 });
});

test('a signing secret is made, used, rotated and revoked', async () => {
  running ??= await up(folder.path);
  const { collectorUrl } = running;
  const run = async (...args: string[]) => {
    const done = await closewatch(['token', ...args, '--json'], environment(folder.path));
    expect(done, done.stderr).toMatchObject({ code: 0 });
    return { ...JSON.parse(done.stdout), stderr: done.stderr };
  };
  const made = await run('create', '--source', '/psp/acme', '--signature-only');
  expect(made).toMatchObject({ source: '/psp/acme', secret: expect.stringMatching(/^whsec_[\w+/]{43}=$/) });
  expect(made).not.toHaveProperty('token');
  const key = join(folder.path, 'secrets', 'secrets-key');
  expect(statSync(key).mode & 0o777).toBe(0o600);
  const send = async (secret: string): Promise<number> => {
    const body = JSON.stringify({
      specversion: '1.0',
      id: randomUUID(),
      source: '/psp/acme',
      type: 'closewatch.payment.settled.v1',
      time: new Date().toISOString(),
      data: { object: { kind: 'payment' }, org: { companyKey: 'acme' }, keys: [{ type: 'psp', value: 'x' }] },
    });
    const at = new Date();
    const response = await fetch(`${collectorUrl}/v1/events?source=/psp/acme`, {
      method: 'POST',
      headers: {
        'content-type': 'application/cloudevents+json',
        'webhook-id': 'msg_1',
        'webhook-timestamp': `${Math.floor(at.getTime() / 1000)}`,
        'webhook-signature': new Webhook(secret).sign('msg_1', at, body),
      },
      body,
    });
    return response.status;
  };
  await expect.poll(() => send(made.secret), { timeout: 30_000 }).toBe(202);
  const next = await run('rotate', made.secretId, '--overlap', '12h');
  await expect.poll(() => send(next.secret), { timeout: 30_000 }).toBe(202);
  expect(await send(made.secret)).toBe(202);
  await run('revoke', made.secretId);
  await expect.poll(() => send(made.secret), { timeout: 30_000 }).toBe(401);
  expect((await run('revoke', next.id)).stderr).toContain('taken unsigned');
  const { secrets } = await run('list');
  expect(secrets).toHaveLength(2);
  expect(JSON.stringify(secrets)).not.toContain('whsec_');
  const both = await closewatch(
    ['token', 'create', '--source', '/psp/beta', '--signed'],
    environment(folder.path),
  );
  expect(both.stdout).toMatch(/^cw_\S+\nwhsec_\S+\n$/);
});

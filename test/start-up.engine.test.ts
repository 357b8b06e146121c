import { afterAll, afterEach, expect, test } from 'vitest';
import { readConfig } from '../cli/config.ts';
import { createLogger } from '../cli/logger.ts';
import { openStores } from '../cli/stores.ts';
import {
  ADMIN_TOKEN,
  closewatch,
  environment,
  INGEST_TOKEN,
  temporaryFolder,
  type Up,
  up,
} from './harness.ts';

const folder = temporaryFolder();
let running: Up | undefined;
afterEach(async () => {
  await running?.kill();
  running = undefined;
});
afterAll(() => folder.remove());

const VIEWER = '{ viewer { id } }';

test('up serves both ports, refuses whoever does not say who he is, and SIGTERM ends it with 0', async () => {
  running = await up(folder.path);
  expect((await fetch(`${running.apiUrl}/healthz`)).status).toBe(200);
  expect((await fetch(`${running.apiUrl}/readyz`)).status).toBe(200);
  expect((await fetch(`${running.apiUrl}/metrics`)).status).toBe(401);
  const metrics = await fetch(`${running.apiUrl}/metrics`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  expect(await metrics.text()).toContain('closewatch_spans_stored');
  for (const path of ['/v1/traces', '/v1/events']) {
    const refused = await fetch(`${running.collectorUrl}${path}`, {
      method: 'POST',
      headers: {
        'content-type': path === '/v1/traces' ? 'application/json' : 'application/cloudevents+json',
      },
      body: '{}',
    });
    expect([path, refused.status]).toEqual([path, 401]);
  }
  const anonymous = await fetch(`${running.apiUrl}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: VIEWER }),
  });
  expect(anonymous.status).toBe(401);
  expect(await running.stop()).toBe(0);
  running = undefined;
});

test('a second up on the same data directory is refused and harms nothing; other commands use the running one', async () => {
  running = await up(folder.path);
  const second = await closewatch(['up'], environment(folder.path));
  expect(second.code).toBe(4);
  expect(second.stderr).toContain(`${folder.path} is in use by process ${running.process.pid}`);
  const made = await closewatch(
    ['token', 'create', '--source', '/ocr/prod', '--json'],
    environment(folder.path),
  );
  expect(made.stderr).toBe('');
  expect(made.code).toBe(0);
  expect(JSON.parse(made.stdout)).toMatchObject({
    source: '/ocr/prod',
    token: expect.stringMatching(/^cw_/),
  });
  const users = (...args: string[]) => closewatch(['users', ...args, '--json'], environment(folder.path));
  expect(await users('add', 'sam', '--roles', 'support', '--companies', 'acme')).toMatchObject({ code: 0 });
  expect(await users('link', 'sam', '--slack', 'U0123456789')).toMatchObject({ code: 0 });
  expect(await users('link', 'nobody', '--slack', 'U0123456789')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('nobody'),
  });
  expect(await users('add', 'eve', '--roles', 'emperor', '--companies', '*')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('roles'),
  });
  expect(JSON.parse((await users('list')).stdout)).toEqual({
    users: [
      {
        id: 'sam',
        name: 'sam',
        roles: ['support'],
        companies: ['acme'],
        identities: [{ provider: 'slack', externalId: 'U0123456789' }],
      },
    ],
  });
  expect(await running.graphql(VIEWER)).toMatchObject({ viewer: { id: 'admin' } });
  const refused = await fetch(`${running.collectorUrl}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${INGEST_TOKEN}`, 'content-type': 'application/cloudevents+json' },
    body: '{}',
  });
  expect(refused.status).toBe(422);
  const doctor = await closewatch(['doctor', '--json'], environment(folder.path));
  const told = JSON.parse(doctor.stdout).checks.find(({ name }: { name: string }) => name === 'refused');
  expect(told?.finding).toContain('1 events');
});

test('it opens again after kill -9, with what was there', async () => {
  running = await up(folder.path);
  await running.kill();
  const listed = await closewatch(['token', 'list', '--json'], environment(folder.path));
  expect(listed.stderr).toBe('');
  expect(listed.stdout).toContain('/ocr/prod');
});

test('data of a newer program are refused, on either store', async () => {
  const newer = temporaryFolder();
  const config = readConfig(environment(newer.path));
  const logger = createLogger('error');
  try {
    const stores = await openStores(config, logger);
    await stores.postgres.pool.query(
      "INSERT INTO closewatch.schema_migrations (version, name, checksum) VALUES (9999, '9999_of_tomorrow', 'x')",
    );
    await stores.close();
    await expect(openStores(config, logger)).rejects.toMatchObject({
      code: 'schema.newer',
      message: expect.stringContaining('9999'),
    });
    const refused = await closewatch(['up'], environment(newer.path));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('9999');
  } finally {
    newer.remove();
  }
});

test('a setting that is none ends it with 2 and says which', async () => {
  const refused = await closewatch(['up'], environment(folder.path, { CLOSEWATCH_COLOUR: 'red' }));
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('CLOSEWATCH_COLOUR');
});

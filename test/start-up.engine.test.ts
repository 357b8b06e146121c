import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readConfig } from '../cli/config.ts';
import { createLogger } from '../cli/logger.ts';
import { openStores } from '../cli/stores.ts';
import { lockDirectory } from '../store/lock.ts';
import { writeRunFile } from '../store/run-file.ts';
import {
  closewatch,
  environment,
  type Finished,
  graphql,
  INGEST_TOKEN,
  temporaryFolder,
  type Up,
  until,
  up,
} from './harness.ts';

const folder = temporaryFolder();
/** Left running from test to test where one can go on with it. */
let running: Up | undefined;
afterAll(async () => {
  await running?.kill();
  folder.remove();
});

const VIEWER = '{ viewer { id } }';

/** A port that another program has. */
async function portInUse(): Promise<{ port: number; free(): void }> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { port: (server.address() as AddressInfo).port, free: () => void server.close() };
}

test('the first start that comes up tells its tokens, though one before failed on a port in use; it refuses whoever has none, and SIGTERM ends it with 0', async () => {
  const untold = { CLOSEWATCH_ADMIN_TOKEN: '', CLOSEWATCH_INGEST_TOKEN: '' };
  const taken = await portInUse();
  const env = environment(folder.path, { ...untold, CLOSEWATCH_API_PORT: `${taken.port}` });
  const failed = await closewatch(['up'], env);
  taken.free();
  expect(failed).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(`${taken.port}`) });
  const first = await up(folder.path, environment(folder.path, untold));
  running = first;
  const told = (what: string) =>
    until(async () => new RegExp(`${what}, shown once: (\\S+)\\n`).exec(first.output())?.[1]);
  const admin = await told("Administrator's token");
  expect(await graphql(first.apiUrl, VIEWER, {}, admin)).toMatchObject({ viewer: { id: 'admin' } });
  const sent = await fetch(`${first.collectorUrl}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${await told('Ingest token')}` },
    body: '{"resourceSpans":[]}',
  });
  expect(sent.status).toBe(200);
  expect((await fetch(`${first.apiUrl}/healthz`)).status).toBe(200);
  expect((await fetch(`${first.apiUrl}/readyz`)).status).toBe(200);
  expect((await fetch(`${first.apiUrl}/metrics`)).status).toBe(401);
  const metrics = await fetch(`${first.apiUrl}/metrics`, {
    headers: { authorization: `Bearer ${admin}` },
  });
  expect(await metrics.text()).toContain('closewatch_otlp_records_stored');
  for (const path of ['/v1/traces', '/v1/events']) {
    const refused = await fetch(`${first.collectorUrl}${path}`, {
      method: 'POST',
      headers: {
        'content-type': path === '/v1/traces' ? 'application/json' : 'application/cloudevents+json',
      },
      body: '{}',
    });
    expect([path, refused.status]).toEqual([path, 401]);
  }
  const anonymous = await fetch(`${first.apiUrl}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: VIEWER }),
  });
  expect(anonymous.status).toBe(401);
  expect(await first.stop()).toBe(0);
  running = undefined;
});

test('a second up on the same data directory is refused and harms nothing; other commands use the running one', async () => {
  running = await up(folder.path);
  // Both wait ten seconds for the lock: meanwhile the others.
  const second = closewatch(['up'], environment(folder.path));
  const silent = lockedAndSilent();
  const made = await closewatch(
    ['token', 'create', '--source', '/ocr/prod', '--json'],
    environment(folder.path),
  );
  expect(made, made.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(made.stdout)).toMatchObject({
    source: '/ocr/prod',
    token: expect.stringMatching(/^cw_/),
  });
  const users = (...args: string[]) => closewatch(['users', ...args, '--json'], environment(folder.path));
  expect(await users('add', 'sam', '--roles', 'support', '--companies', 'acme')).toMatchObject({ code: 0 });
  expect(await users('link', 'sam', '--slack', 'U0123456789')).toMatchObject({ code: 0 });
  const [nobody, emperor, list] = await Promise.all([
    users('link', 'nobody', '--slack', 'U0123456789'),
    users('add', 'eve', '--roles', 'emperor', '--companies', '*'),
    users('list'),
  ]);
  expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('nobody') });
  expect(emperor).toMatchObject({ code: 2, stderr: expect.stringContaining('roles') });
  expect(JSON.parse(list.stdout)).toEqual({
    users: [
      {
        id: 'sam',
        name: 'sam',
        roles: ['support'],
        companies: ['acme'],
        identities: [{ provider: 'slack', externalId: 'U0123456789', isConfirmed: true }],
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
  expect(await second).toMatchObject({
    code: 4,
    stderr: expect.stringContaining(`${folder.path} is in use by process ${running.process.pid}`),
  });
  expect(await silent).toMatchObject({
    code: 4,
    stderr: expect.stringContaining(`is in use by process ${process.pid}, which does not answer`),
  });
});

/** A command on a data directory whose holder left the file of one before it, and serves nobody. */
async function lockedAndSilent(): Promise<Finished> {
  const { path, remove } = temporaryFolder();
  const lock = await lockDirectory(path);
  writeRunFile(path, {
    pid: process.pid,
    startedAt: '2026-05-31T21:30:00Z',
    ports: { control: 1 },
    engine: { url: 'http://127.0.0.1:1', username: '', password: '' },
    controlToken: 'old',
  });
  try {
    return await closewatch(['token', 'list'], environment(path));
  } finally {
    lock.release();
    remove();
  }
}

test('it opens again after kill -9, with what was there, though another program has its process id now', async () => {
  running ??= await up(folder.path);
  await running.kill();
  running = undefined;
  const file = join(folder.path, 'run.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), pid: process.pid }));
  const listed = await closewatch(['token', 'list', '--json'], environment(folder.path));
  expect(listed, listed.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('/ocr/prod') });
  expect(listed.stderr).not.toContain('"level":"error"');
  expect(existsSync(file)).toBe(false);
});

test('data of a newer program are refused', async () => {
  const stores = await openStores(readConfig(environment(folder.path)), createLogger('error'));
  await stores.postgres.pool.query(
    "INSERT INTO closewatch.schema_migrations (version, name, checksum) VALUES (9999, '9999_of_tomorrow', 'x')",
  );
  await stores.close();
  const refused = await closewatch(['up'], environment(folder.path));
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('9999') });
});

test('a setting that is none ends it with 2 and says which', async () => {
  const refused = await closewatch(['up'], environment(folder.path, { CLOSEWATCH_COLOUR: 'red' }));
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('CLOSEWATCH_COLOUR');
});

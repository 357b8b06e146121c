import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { strFromU8, strToU8, unzipSync, zipSync } from 'fflate';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkPack } from '../model/audit-pack.ts';
import type { Role } from '../model/principal.ts';
import { openPostgres, type Postgres } from '../store/postgres/database.ts';
import { putPerson } from '../store/postgres/principals.ts';
import { closewatch, environment, temporaryFolder } from './harness.ts';
import { keepingLogger } from './temporary-stores.ts';

/** The audit chain from the command line: recorded, checked, anchored, exported, and found out when somebody edits the database. */

const folder = temporaryFolder();
const pack = join(folder.path, 'pack.zip');
const run = (...args: string[]) => closewatch(args, environment(folder.path));
afterAll(() => folder.remove());

/** Does something to the database as its administrator does. */
async function asAdministrator(work: (postgres: Postgres) => Promise<unknown>): Promise<void> {
  const postgres = await openPostgres({ dataDir: folder.path }, { logger: keepingLogger() });
  try {
    await work(postgres);
  } finally {
    await postgres.close();
  }
}

const person = (id: string, roles: Role[], companies: string[]) => ({ id, name: id, roles, companies });

beforeAll(async () => {
  const added = await run('users', 'add', 'sam', '--roles', 'finance', '--companies', 'acme');
  expect(added, added.stderr).toMatchObject({ code: 0 });
  await asAdministrator(async (postgres) => {
    for (const name of ['kim', 'ann'])
      await putPerson(postgres, person(name, ['finance'], ['acme']), 'root', new Date());
  });
  const made = JSON.parse((await run('token', 'create', '--source', '/ocr', '--json')).stdout);
  expect(await run('token', 'revoke', made.id)).toMatchObject({ code: 0 });
});

test('decisions are recorded and form a chain', async () => {
  const verified = await run('audit', 'verify', '--json');
  expect(verified, verified.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(verified.stdout)).toMatchObject({ fault: null, rows: 5, anchors: 0 });
  await asAdministrator(async ({ db }) => {
    const rows = await db.selectFrom('audit').selectAll().orderBy('seq').execute();
    expect(rows.map(({ body }) => JSON.parse(body).change)).toEqual([
      'granted',
      'granted',
      'granted',
      'created',
      'revoked',
    ]);
    expect(JSON.parse(rows[0]?.body ?? '')).toMatchObject({
      actor: { kind: 'operator', roles: [] },
      entity: 'setting',
      entityId: 'principal:sam',
      data: { roles: ['finance'], companies: ['acme'] },
    });
    expect(rows.map(({ body }) => body).join()).not.toContain('cw_');
  });
});

test('rows are neither changed nor removed, and a decision that fails leaves none', async () => {
  await asAdministrator(async (postgres) => {
    const { pool, db } = postgres;
    for (const statement of [
      `UPDATE closewatch.audit SET actor = 'eve' WHERE seq = 2`,
      'DELETE FROM closewatch.audit WHERE seq = 2',
      'TRUNCATE closewatch.audit',
    ])
      await expect(pool.query(statement)).rejects.toThrow('neither changed nor removed');
    const broken = db.transaction().execute(async (trx) => {
      await trx.insertInto('principals').values({ id: 'x', kind: 'human', name: 'x' }).execute();
      throw new Error('no');
    });
    await expect(broken).rejects.toThrow('no');
    await Promise.all(
      ['a', 'b', 'c', 'd'].map((id) => putPerson(postgres, person(id, ['sre'], ['*']), 'sam', new Date())),
    );
    const last = await db.selectFrom('audit').selectAll().orderBy('seq', 'desc').executeTakeFirstOrThrow();
    expect(last.seq).toBe('9');
    // Who is known is told with the roles of that time.
    expect(JSON.parse(last.body).actor).toEqual({ id: 'sam', kind: 'human', roles: ['finance'] });
  });
});

test('the head is anchored outside, once', async () => {
  const first = await run('audit', 'anchor', '--json');
  expect(first, first.stderr).toMatchObject({ code: 0 });
  const { anchor, key } = JSON.parse(first.stdout);
  expect(anchor).toMatchObject({ seq: 9 });
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  expect(JSON.parse((await run('audit', 'anchor', '--json')).stdout)).toEqual({ anchor: null, key });
  expect(JSON.parse((await run('audit', 'verify', '--json')).stdout)).toMatchObject({
    fault: null,
    anchors: 2,
  });
});

test('a pack is checked by itself, and names what was done to it', async () => {
  const exported = await run('audit', 'export', '--from', '2020-01-01T00:00:00Z', '--out', pack, '--json');
  expect(exported, exported.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(exported.stdout)).toMatchObject({ rows: 9 });
  const elsewhere = temporaryFolder();
  const checked = await closewatch(['audit', 'verify', pack, '--json'], environment(elsewhere.path));
  expect(checked, checked.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(checked.stdout)).toMatchObject({ fault: null, rows: 9, links: 9 });
  expect(
    await closewatch(['audit', 'verify', pack, '--key', 'a'.repeat(64)], environment(elsewhere.path)),
  ).toMatchObject({ code: 3, stdout: expect.stringContaining('public-key.pem') });
  elsewhere.remove();

  const files = unzipSync(readFileSync(pack));
  expect(strFromU8(files['index.html'] ?? new Uint8Array())).toContain('principal:sam');
  const edited = (name: string, change: (text: string) => string) =>
    checkPack({ ...files, [name]: strToU8(change(strFromU8(files[name] ?? new Uint8Array()))) }).fault;
  expect(edited('audit.jsonl', (text) => text.replace('principal:kim', 'principal:eve'))).toMatchObject({
    seq: 2,
    fault: 'altered',
  });
  expect(edited('audit.jsonl', (text) => text.split('\n').toSpliced(3, 1).join('\n'))).toMatchObject({
    seq: 4,
    fault: 'missing',
  });
  expect(
    edited('audit.jsonl', (text) => {
      const [a = '', b = '', ...rest] = text.split('\n');
      return [b, a, ...rest].join('\n');
    }),
  ).toMatchObject({ seq: 1, fault: 'reordered' });
  expect(edited('chain.csv', (text) => text.split('\n').toSpliced(6, 1).join('\n'))).toMatchObject({
    seq: 6,
    fault: 'missing',
  });
  expect(edited('audit.csv', (text) => text.replace('sam', 'eve'))).toMatchObject({ file: 'audit.csv' });
  expect(
    edited('manifest.json', (text) => text.replace('the beginning', 'a day').replace('2020', '2021')),
  ).toMatchObject({
    file: 'manifest.sig',
  });
  expect(checkPack({ ...files, 'more.txt': strToU8('x') }).fault).toMatchObject({ file: 'more.txt' });
  expect(checkPack({ 'a.txt': strToU8('x') }).fault).toMatchObject({ file: 'manifest.json' });
  const noPack = join(folder.path, 'no.zip');
  writeFileSync(noPack, zipSync({ 'a.txt': strToU8('x') }));
  expect(await run('audit', 'verify', noPack)).toMatchObject({ code: 3 });
  writeFileSync(noPack, 'x');
  expect(await run('audit', 'verify', noPack)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no.zip'),
  });
});

const offTriggers = 'ALTER TABLE closewatch.audit DISABLE TRIGGER ALL';

test('an administrator who edits a row is found out', async () => {
  await asAdministrator(async ({ pool }) => {
    await pool.query(offTriggers);
    await pool.query(`UPDATE closewatch.audit SET company = 'other' WHERE seq = 3`);
  });
  expect(await run('audit', 'verify')).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/^row 3 is altered: a column/),
  });
  await asAdministrator(({ pool }) =>
    pool.query(
      `UPDATE closewatch.audit SET body = replace(body, 'principal:ann', 'principal:eve'), company = '' WHERE seq = 3`,
    ),
  );
  expect(await run('audit', 'verify')).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/^row 3 is altered/),
  });
  await asAdministrator(({ pool }) => pool.query('DELETE FROM closewatch.audit WHERE seq = 3'));
  expect(await run('audit', 'verify')).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/^row 3 is missing/),
  });
});

test('one who cuts the end off, and writes it anew, is found out by the anchors', async () => {
  await asAdministrator(({ pool }) => pool.query('DELETE FROM closewatch.audit WHERE seq > 2'));
  expect(await run('audit', 'verify')).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/^row 3 is missing/),
  });
  await asAdministrator(async (postgres) => {
    for (let i = 0; i < 8; i += 1)
      await putPerson(postgres, person(`new${i}`, ['sre'], ['*']), 'sam', new Date());
  });
  expect(await run('audit', 'verify')).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/^row 9 is altered: the anchor/),
  });
  rmSync(pack);
});

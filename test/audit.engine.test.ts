import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { strFromU8, strToU8, unzipSync, zipSync } from 'fflate';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { anchorAuditTask, exportAuditTask, verifyAuditTask } from '../cli/audit-tasks.ts';
import { readConfig } from '../cli/config.ts';
import type { Stores } from '../cli/stores.ts';
import { checkPack } from '../model/audit-pack.ts';
import type { Role } from '../model/principal.ts';
import type { Postgres } from '../store/postgres/database.ts';
import { putPerson } from '../store/postgres/principals.ts';
import { createToken, revokeToken } from '../store/postgres/tokens.ts';
import { closewatch, environment, temporaryFolder } from './harness.ts';
import { type TemporaryStores, temporaryStores } from './temporary-stores.ts';

/** The audit chain from the command line: recorded, checked, anchored, exported, and found out when somebody edits the database. */

const folder = temporaryFolder();
const pack = join(folder.path, 'pack.zip');
const run = (...args: string[]) => closewatch(args, environment(folder.path));
let temporary: TemporaryStores;
let stores: Stores;
afterAll(async () => {
  await temporary.remove();
  folder.remove();
});

/** Does something to the database as its administrator does. */
const asAdministrator = async (work: (postgres: Postgres) => Promise<unknown>): Promise<void> => {
  await work(stores.postgres);
};
const verified = () => verifyAuditTask.run(stores, { anchors: [] }, () => {});

const person = (id: string, roles: Role[], companies: string[]) => ({ id, name: id, roles, companies });

beforeAll(async () => {
  temporary = await temporaryStores();
  const { postgres, clickhouse, logger } = temporary;
  stores = {
    postgres,
    clickhouse,
    logger,
    config: readConfig({}, { dataDir: folder.path }),
  } as unknown as Stores;
  for (const name of ['sam', 'kim', 'ann'])
    await putPerson(postgres, person(name, ['finance'], ['acme']), 'root', new Date());
  const { id } = await createToken(postgres, { name: 'ocr', source: '/ocr', createdBy: 'root' });
  await revokeToken(postgres, id, 'root', new Date());
});

test('decisions are recorded and form a chain', async () => {
  expect(await verified()).toMatchObject({ fault: null, rows: 5, anchors: 0 });
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
  const anchored = () => anchorAuditTask.run(stores, {}, () => {});
  const { anchor, key } = await anchored();
  expect(anchor).toMatchObject({ seq: 9 });
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  expect(await anchored()).toEqual({ anchor: null, key });
  expect(await verified()).toMatchObject({
    fault: null,
    anchors: 2,
  });
});

test('a pack is checked by itself, and names what was done to it', async () => {
  const exported = await exportAuditTask.run(stores, { from: '2020-01-01T00:00:00Z', by: 'root' }, () => {});
  expect(exported).toMatchObject({ rows: 9 });
  writeFileSync(pack, Buffer.from(exported.zip, 'base64'));
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
  expect((await verified()).fault).toMatchObject({
    seq: 3,
    fault: 'altered',
    why: expect.stringContaining('a column'),
  });
  await asAdministrator(({ pool }) =>
    pool.query(
      `UPDATE closewatch.audit SET body = replace(body, 'principal:ann', 'principal:eve'), company = '' WHERE seq = 3`,
    ),
  );
  expect((await verified()).fault).toMatchObject({ seq: 3, fault: 'altered' });
  await asAdministrator(({ pool }) => pool.query('DELETE FROM closewatch.audit WHERE seq = 3'));
  expect((await verified()).fault).toMatchObject({ seq: 3, fault: 'missing' });
});

test('one who cuts the end off, and writes it anew, is found out by the anchors', async () => {
  await asAdministrator(({ pool }) => pool.query('DELETE FROM closewatch.audit WHERE seq > 2'));
  expect((await verified()).fault).toMatchObject({ seq: 3, fault: 'missing' });
  await asAdministrator(async (postgres) => {
    for (let i = 0; i < 8; i += 1)
      await putPerson(postgres, person(`new${i}`, ['sre'], ['*']), 'sam', new Date());
  });
  expect((await verified()).fault).toMatchObject({
    seq: 9,
    fault: 'altered',
    why: expect.stringContaining('the anchor'),
  });
  rmSync(pack);
});

test('the command line records, checks, and says by its exit code what it found', async () => {
  const own = temporaryFolder();
  const inOwn = (...args: string[]) => closewatch(args, environment(own.path));
  expect(await inOwn('users', 'add', 'sam', '--roles', 'finance', '--companies', 'acme')).toMatchObject({
    code: 0,
  });
  expect(await inOwn('audit', 'verify')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^1 rows, whole and unaltered, 0 anchors/),
  });
  own.remove();
});

import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { temporaryFolder } from '../test/harness.ts';
import { type Catalogue, readCatalogue } from './catalogue.ts';
import { readConfig } from './config.ts';
import { detectTask } from './detect.ts';
import { createLogger } from './logger.ts';
import { openStores, type Stores } from './stores.ts';

const folder = temporaryFolder();
let stores: Stores | undefined;
afterAll(async () => {
  await stores?.close();
  folder.remove();
});

test('detect judges under the flows that its process runs, and reads them where it runs none', async () => {
  const config = readConfig({
    CLOSEWATCH_DATA_DIR: folder.path,
    CLOSEWATCH_ENGINE_PORT: '0',
    CLOSEWATCH_LOG_LEVEL: 'warn',
  });
  const opened = await openStores(config, createLogger('warn'));
  stores = opened;
  const rules = async () => Object.keys((await detected()) ?? {}).sort();
  const detected = async () =>
    (
      await opened.postgres.db
        .selectFrom('settings')
        .select('value')
        .where('name', '=', 'detect.rules')
        .executeTakeFirst()
    )?.value as object | undefined;
  const run = (given: Partial<Stores>) =>
    detectTask.run({ ...opened, ...given }, { rebuild: false }, () => {});
  const catalogue: Catalogue = { ...(await readCatalogue(config)), flows: [] };
  const elsewhere = { ...config, flowsDir: join(folder.path, 'none') };
  expect(await run({ catalogue, config: elsewhere })).toMatchObject({
    openExceptions: 0,
    asOf: expect.any(String),
  });
  expect(await rules()).toEqual([]);
  await run({});
  expect(await rules()).toContain('MP-02');
});

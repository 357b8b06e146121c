import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { ClosewatchError } from '../model/errors.ts';
import { readConfig } from './config.ts';

const folder = mkdtempSync(join(tmpdir(), 'closewatch-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const problemsOf = (env: NodeJS.ProcessEnv): string[] => {
  try {
    readConfig(env);
  } catch (error) {
    return (error as ClosewatchError).problems.map(({ where, what }) => `${where}: ${what}`);
  }
  return [];
};

describe('readConfig', () => {
  test('has a default for everything', () => {
    const config = readConfig({});
    expect(config).toMatchObject({ bind: '127.0.0.1', collectorPort: 4318, apiPort: 4000, enginePort: 8123 });
    expect(config.engineMemory).toBe(2 ** 30);
    expect(config.model).toBeUndefined();
    expect(config.slack).toBeUndefined();
  });

  test('flags are above the environment, the environment above the file', () => {
    const file = join(folder, 'closewatch.yaml');
    writeFileSync(file, 'apiPort: 1\ncollectorPort: 2\nbind: 0.0.0.0\n');
    const env = { CLOSEWATCH_CONFIG: file, CLOSEWATCH_API_PORT: '3', CLOSEWATCH_COLLECTOR_PORT: '4' };
    expect(readConfig(env, { apiPort: 5, collectorPort: undefined })).toMatchObject({
      apiPort: 5,
      collectorPort: 4,
      bind: '0.0.0.0',
    });
  });

  test('reads a secret from a file', () => {
    const file = join(folder, 'token');
    writeFileSync(file, 'a-token-of-some-length\n');
    expect(readConfig({ CLOSEWATCH_ADMIN_TOKEN_FILE: file }).adminToken).toBe('a-token-of-some-length');
  });

  test.each(['short', 'letters', 'sixteen letters and more', ' '.repeat(16)])('%j is no token', (token) => {
    for (const name of ['CLOSEWATCH_ADMIN_TOKEN', 'CLOSEWATCH_INGEST_TOKEN'])
      expect(problemsOf({ [name]: token })).toEqual([
        `${name}: must be 8 to 512 letters, digits or signs, without blanks`,
      ]);
  });

  test('an empty file is no token', () => {
    const file = join(folder, 'empty');
    writeFileSync(file, '\n');
    expect(problemsOf({ CLOSEWATCH_ADMIN_TOKEN_FILE: file })).toHaveLength(1);
    expect(readConfig({ CLOSEWATCH_ADMIN_TOKEN: 'sixteen-letters-' }).adminToken).toHaveLength(16);
  });

  test('variables that Kubernetes sets for a service of our name are none of ours', () => {
    const host = { CLOSEWATCH_SERVICE_HOST: '10.0.0.7', CLOSEWATCH_SERVICE_PORT: '4000' };
    const ports = { CLOSEWATCH_SERVICE_PORT_API: '4000', CLOSEWATCH_PORT: 'tcp://10.0.0.7:4000' };
    const links = {
      CLOSEWATCH_PORT_4000_TCP: 'tcp://10.0.0.7:4000',
      CLOSEWATCH_PORT_4000_TCP_ADDR: '10.0.0.7',
    };
    expect(readConfig({ ...host, ...ports, ...links }).apiPort).toBe(4000);
    expect(problemsOf({ CLOSEWATCH_SERVICE: 'x' })).toEqual([
      'CLOSEWATCH_SERVICE: is no setting of Closewatch',
    ]);
  });

  test('names every problem and where it is', () => {
    expect(
      problemsOf({ CLOSEWATCH_API_PORT: '70000', CLOSEWATCH_COLOUR: 'red', OPENAI_API_KEY: 'k' }),
    ).toEqual([
      'CLOSEWATCH_COLOUR: is no setting of Closewatch',
      expect.stringMatching(/^CLOSEWATCH_API_PORT: /),
    ]);
    expect(problemsOf({ OPENAI_API_KEY: 'k' })).toEqual(['OPENAI_MODEL: is required with OPENAI_API_KEY']);
    expect(problemsOf({ SLACK_BOT_TOKEN: 'x' })).toEqual(['SLACK_CHANNEL: is required with SLACK_BOT_TOKEN']);
  });

  test('an unknown key of the file is a problem', () => {
    const file = join(folder, 'unknown.yaml');
    writeFileSync(file, 'apiport: 1\n');
    expect(problemsOf({ CLOSEWATCH_CONFIG: file })).toEqual([expect.stringMatching(/apiport/)]);
  });
});

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { secretOf } from './secrets.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'closewatch-secrets-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

test('a secret is made once, whole, for its owner alone', () => {
  const dataDir = folder();
  const made = secretOf(dataDir, 'admin-token');
  expect(made).toEqual({ text: expect.stringMatching(/^[\w-]{43}$/), isNew: true });
  expect(secretOf(dataDir, 'admin-token')).toEqual({ text: made.text, isNew: false });
  expect(readdirSync(join(dataDir, 'secrets'))).toEqual(['admin-token']);
  const file = join(dataDir, 'secrets', 'admin-token');
  expect(readFileSync(file, 'utf8')).toBe(`${made.text}\n`);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(secretOf(dataDir, 'pseudonym-key').text).not.toBe(made.text);
});

test.each(['', '\n', 'only-the-beginning'])(
  'a file that holds %j is no secret, and nothing starts with it',
  (text) => {
    const dataDir = folder();
    mkdirSync(join(dataDir, 'secrets'));
    writeFileSync(join(dataDir, 'secrets', 'admin-token'), text);
    expect(() => secretOf(dataDir, 'admin-token')).toThrow(
      expect.objectContaining({
        code: 'config.invalid',
        message: expect.stringMatching(/admin-token holds \d+ characters .* remove the file/),
      }),
    );
    expect(readFileSync(join(dataDir, 'secrets', 'admin-token'), 'utf8')).toBe(text);
  },
);

test('what a start that was killed left behind is no secret and in nobody’s way', () => {
  const dataDir = folder();
  mkdirSync(join(dataDir, 'secrets'));
  writeFileSync(join(dataDir, 'secrets', `admin-token.${process.pid}`), 'half');
  expect(secretOf(dataDir, 'admin-token').isNew).toBe(true);
  expect(readdirSync(join(dataDir, 'secrets'))).toEqual(['admin-token']);
});

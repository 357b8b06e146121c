import { expect, test } from 'vitest';
import { createSealer } from './sealed.ts';

test('what was sealed opens under the same key for the same thing, unchanged, and nowhere else', () => {
  const sealer = createSealer(() => 'a key of this deployment');
  const sealed = sealer.seal('whsec_geheim', 'one');
  expect(sealed).not.toContain('geheim');
  expect(sealer.seal('whsec_geheim', 'one')).not.toBe(sealed);
  expect(createSealer(() => 'a key of this deployment').open(sealed, 'one')).toBe('whsec_geheim');
  const bytes = Buffer.from(sealed, 'base64url');
  bytes[30] = (bytes[30] ?? 0) ^ 1;
  for (const open of [
    () => sealer.open(sealed, 'two'),
    () => createSealer(() => 'another key').open(sealed, 'one'),
    () => sealer.open(bytes.toString('base64url'), 'one'),
    () => sealer.open('', 'one'),
  ])
    expect(open).toThrow(expect.objectContaining({ code: 'config.invalid' }));
});

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LOSS_REASONS, lossReason } from './loss.ts';

test('docs/operations.md lists every reason, who can mend it and how', () => {
  const page = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
  const documented = [
    ...page.matchAll(/^\| `([\w-]+)` \| (sender|operator|closewatch) \| (.*) \| (.*) \|$/gm),
  ].map(([, name, owner, what, advice]) => [name, { owner, what, advice }]);
  expect(Object.fromEntries(documented)).toEqual(LOSS_REASONS);
});

test('a reason that is not known here is told as it stands', () => {
  expect(lossReason('of-tomorrow')).toMatchObject({ what: 'of-tomorrow', owner: 'closewatch' });
  expect(lossReason('toString').owner).toBe('closewatch');
});

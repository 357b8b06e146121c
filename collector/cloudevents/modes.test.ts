import { expect, test } from 'vitest';
import { cloudEventsConfig } from './config.ts';
import { envelopesOf } from './modes.ts';

test('a batch of more values than events have is refused before it becomes objects', () => {
  const config = cloudEventsConfig.parse({});
  const batchOf = (item: string, count: number) =>
    envelopesOf('batch', {}, Buffer.from(`[${`${item},`.repeat(count)}{}]`), config);
  expect(() => batchOf('{}', 1_100_000)).toThrow('JSON values');
  expect(batchOf(`"${'{,'.repeat(20_000)}"`, 100)).toHaveLength(101);
});

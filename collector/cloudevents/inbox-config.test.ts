import { expect, test } from 'vitest';
import { collectorConfig } from '../config.ts';

const DAY_MS = 86_400_000;

test('the inbox has settings that hold by themselves', () => {
  expect(collectorConfig.parse({}).inbox).toEqual({
    criticalKinds: ['payment', 'batchpayment', 'statementline', 'approval', 'compliancehold'],
    ordinaryShare: 0.75,
    maxWaitingEvents: 50_000,
    maxWaitingCharacters: 64 << 20,
    keepPayloads: 7 * DAY_MS,
    keepSettledLetters: 30 * DAY_MS,
  });
  const given = { criticalKinds: [], keepPayloads: '12h', keepSettledLetters: '1w' };
  expect(collectorConfig.parse({ inbox: given }).inbox).toMatchObject({
    criticalKinds: [],
    keepPayloads: DAY_MS / 2,
    keepSettledLetters: 7 * DAY_MS,
  });
});

test.each([
  [{ keepPayloads: '3bd' }, ['inbox', 'keepPayloads']],
  [{ keepPayloads: 'soon' }, ['inbox', 'keepPayloads']],
  [{ criticalKinds: ['Payment'] }, ['inbox', 'criticalKinds', 0]],
  [{ ordinaryShare: 0 }, ['inbox', 'ordinaryShare']],
  [{ more: 1 }, ['inbox']],
])('%j is refused, and where', (inbox, path) => {
  expect(collectorConfig.safeParse({ inbox }).error?.issues[0]?.path).toEqual(path);
});

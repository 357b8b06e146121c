import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Postgres } from '../store/postgres/database.ts';
import { openQueues } from '../store/queue/queues.ts';
import { until } from '../test/harness.ts';
import { memoryLogger, temporaryPostgres } from '../test/incident-house.ts';
import { scheduleAnalysis } from './schedule.ts';

let postgres: Postgres;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ postgres, close } = await temporaryPostgres());
});
afterAll(() => close());

test('a model that does not answer holds up neither passes nor assessments', async () => {
  const queues = await openQueues({ postgres }, { logger: memoryLogger() });
  const done = { detect: 0, assess: 0, ask: 0 };
  const answered = Promise.withResolvers<void>();
  await scheduleAnalysis(
    {
      async detect() {
        done.detect += 1;
      },
      async assess() {
        done.assess += 1;
      },
      async propose() {},
      async ask(clock) {
        done.ask += 1;
        expect(clock()).toBe(7n);
        await answered.promise;
      },
    },
    { queues, clock: () => 7n, everySeconds: 0.1 },
  );
  const reached = (stage: keyof typeof done, times: number) =>
    until(async () => done[stage] >= times || undefined);
  await reached('ask', 1);
  const before = done.assess;
  await reached('assess', before + 3);
  expect(done.ask).toBe(1);
  answered.resolve();
  await reached('ask', 2);
  await queues.close();
});

test('an assessment that fails keeps nobody from being asked and told', async () => {
  const queues = await openQueues({ postgres }, { logger: memoryLogger() });
  let asked = 0;
  await scheduleAnalysis(
    {
      detect: async () => {},
      assess: () => Promise.reject(new Error('one could not be assessed')),
      propose: async () => {},
      async ask() {
        asked += 1;
      },
    },
    { queues, clock: () => 7n, everySeconds: 0.1 },
  );
  await until(async () => asked > 0 || undefined);
  await queues.close();
});

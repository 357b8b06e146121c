import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { lockDirectory } from '../lock.ts';
import { openQueues } from '../queue/queues.ts';
import { openPostgres } from './database.ts';
import { keepingLogger, temporaryFolder } from './testing/back-ends.ts';

/** The embedded database under kill -9. */
const CYCLES = 3;
const temporary = temporaryFolder();
const { dataDir } = temporary.place;
const logger = keepingLogger();
const children: ChildProcess[] = [];

beforeAll(async () => {
  // Makes the database once: the writers only open it.
  await (await openPostgres({ dataDir }, { logger })).close();
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => temporary.remove());

/** A process that writes until it is killed; `lines` is what it has said. */
async function writer(round: string) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'testing', 'writer.ts'), dataDir, round], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const lines: string[] = [];
  let complaints = '';
  child.stderr.on('data', (chunk) => {
    complaints += chunk;
  });
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(line));
  const ended = once(child, 'exit');
  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await Promise.race([
        once(reader, 'line'),
        ended.then(() => Promise.reject(new Error(`the writer ended: ${complaints}`))),
      ]);
    }
  }
  const said = (word: string) => lines.filter((line) => line.startsWith(`${word} `));
  return {
    pid: child.pid,
    said,
    until,
    async kill() {
      child.kill('SIGKILL');
      await ended;
      // What was in the pipe counts too: the writer had said it.
      if (!child.stdout.readableEnded) await once(reader, 'close').catch(() => {});
    },
  };
}

test('nothing that was acknowledged is lost, nothing is there by half, jobs are taken up again', async () => {
  const rows: string[] = [];
  const jobs: string[] = [];
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const process = await writer(`cycle${cycle}`);
    await process.until(
      () =>
        process.said('row').length > 15 * (cycle + 1) &&
        process.said('job').length > 10 &&
        (cycle > 0 || process.said('running').length > 0),
    );
    await process.kill();
    const word = (line: string) => line.split(' ')[1] ?? '';
    rows.push(...process.said('row').map(word));
    jobs.push(...process.said('job').map(word));
  }

  const postgres = await openPostgres({ dataDir }, { logger });
  const written = (await postgres.pool.query<{ id: string }>('SELECT id FROM written')).rows.map(
    ({ id }) => id,
  );
  const there = new Set(written);
  expect(rows.filter((id) => !there.has(id))).toEqual([]);
  expect(written.filter((id) => !id.endsWith('-pair') && !there.has(`${id}-pair`))).toEqual([]);
  expect(written.filter((id) => id.endsWith('-pair') && !there.has(id.slice(0, -5)))).toEqual([]);

  const queues = await openQueues({ postgres }, { logger });
  const added = queues.queue('acknowledged');
  const states = await Promise.all(jobs.map(async (id) => (await added.getJob(id))?.getState()));
  expect(states.filter((state) => state !== 'waiting')).toEqual([]);

  const taken = Promise.withResolvers<string>();
  const again = new Set<string>();
  await queues.work(
    'endless',
    async (job) => {
      again.add(job.name);
      if (again.size === CYCLES) taken.resolve('all');
    },
    { stalledCheckMs: 200 },
  );
  // The job that ran in the killed process is among them.
  expect(await taken.promise).toBe('all');
  await queues.close();
  await postgres.close();
}, 240_000);

test('a second opener is refused with the holder, and the lock is free when the holder is killed', async () => {
  const holder = await writer('holder');
  await holder.until(() => holder.said('row').length > 0);
  await expect(lockDirectory(join(dataDir, 'postgres'), { waitMs: 0 })).rejects.toMatchObject({
    code: 'data-dir.locked',
    message: expect.stringContaining(`process ${holder.pid}`),
  });
  const opening = openPostgres({ dataDir, lockWaitMs: 60_000 }, { logger });
  const early = await Promise.race([
    opening.then(() => 'opened'),
    holder.until(() => holder.said('row').length > 15),
  ]);
  expect(early).toBeUndefined();
  await holder.kill();
  const postgres = await opening;
  const last = holder.said('row').at(-1)?.split(' ')[1];
  const { rows } = await postgres.pool.query('SELECT id FROM written WHERE id = $1', [last]);
  expect(rows).toEqual([{ id: last }]);
  await postgres.close();
});

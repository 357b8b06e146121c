import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobsOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { openPostgres, type Postgres } from '../postgres/database.ts';
import { backEnds, keepingLogger, type TemporaryPlace } from '../postgres/testing/back-ends.ts';
import { QUEUES, wake } from './names.ts';
import { openQueues, type Queues } from './queues.ts';

const REDIS = 'redis://127.0.0.1:6379';
const redis = new Redis(REDIS, { lazyConnect: true, retryStrategy: () => null });
redis.on('error', () => {});
const hasRedis = await redis.connect().then(
  () => true,
  () => false,
);
afterAll(() => redis.disconnect());

const [pglite, server] = await backEnds();
const places = [
  { ...pglite!, redisUrl: undefined },
  { ...server!, redisUrl: undefined },
  {
    ...pglite!,
    name: hasRedis ? 'Redis' : 'Redis (skipped: none on 127.0.0.1:6379)',
    isAbsent: !hasRedis,
    redisUrl: REDIS,
  },
];

/** What the queues promise, whatever holds the jobs. */
describe.each(places)('on $name', ({ isAbsent, create, redisUrl }) => {
  const prefix = `closewatch-test-${randomBytes(6).toString('hex')}`;
  let temporary: TemporaryPlace | undefined;
  let postgres: Postgres | undefined;
  let opened: Queues[] = [];
  const logger = keepingLogger();

  beforeAll(async () => {
    if (isAbsent || redisUrl) return;
    temporary = await create();
    postgres = await openPostgres(temporary.place, { logger });
  });
  afterEach(async () => {
    await Promise.all(opened.map((queues) => queues.close({ deadlineMs: 1_000 })));
    opened = [];
  });
  afterAll(async () => {
    await postgres?.close();
    await temporary?.remove();
    if (!redisUrl || isAbsent) return;
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.del(keys);
  });

  async function open(): Promise<Queues> {
    // With Redis no statement goes to PostgreSQL, so none is there.
    const queues = await openQueues({ postgres: postgres as Postgres, redisUrl, prefix }, { logger });
    opened.push(queues);
    return queues;
  }
  const soon: JobsOptions = { backoff: { type: 'fixed', delay: 50 } };
  const until = (condition: () => unknown) =>
    vi.waitFor(
      async () => {
        if (!(await condition())) throw new Error('not yet');
      },
      { timeout: 30_000, interval: 10 },
    );

  test.skipIf(isAbsent)('jobs are done once each, with their data; a waiting worker is woken', async () => {
    const queues = await open();
    const done: unknown[] = [];
    await queues.work<{ n: number }>(
      'plain',
      async (job) => {
        done.push([job.name, job.data.n]);
        return { twice: job.data.n * 2 };
      },
      { concurrency: 4 },
    );
    // An idle worker polls after 5 s only: to be quick it must have been woken. A loaded machine gets several tries.
    const ids: string[] = [];
    let quickest = Number.POSITIVE_INFINITY;
    while (quickest > 1_000 && ids.length < 5) {
      await sleep(100);
      const asked = Date.now();
      ids.push((await queues.queue('plain').add('one', { n: 0 })).id ?? '');
      await until(() => done.length === ids.length);
      quickest = Math.min(quickest, Date.now() - asked);
    }
    expect(quickest).toBeLessThanOrEqual(1_000);
    const before = done.splice(0).length;
    await queues
      .queue('plain')
      .addBulk(Array.from({ length: 50 }, (_, n) => ({ name: 'many', data: { n } })));
    await until(() => done.length >= 50);
    expect(done.map((entry) => (entry as [string, number])[1]).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, n) => n),
    );
    await until(
      async () => (await queues.queue('plain').getJobCounts('completed')).completed === before + 50,
    );
    expect((await queues.queue('plain').getJob(ids[0] ?? ''))?.returnvalue).toEqual({ twice: 0 });
  });

  test.skipIf(isAbsent)(
    'a job that fails is tried again after its back-off, then kept as failed',
    async () => {
      const queues = await open();
      const times: number[] = [];
      await queues.work('failing', async (job) => {
        times.push(Date.now());
        if (job.name === 'hopeless' || times.length < 3) throw new Error(`attempt ${job.attemptsMade}`);
      });
      const job = await queues
        .queue('failing')
        .add('twice', {}, { backoff: { type: 'exponential', delay: 100 } });
      await until(() => job.isCompleted());
      expect(times).toHaveLength(3);
      expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(95);
      expect(times[2]! - times[1]!).toBeGreaterThanOrEqual(195);
      const hopeless = await queues.queue('failing').add('hopeless', {}, soon);
      await until(() => hopeless.isFailed());
      expect(times).toHaveLength(6);
      expect((await queues.queue('failing').getFailed()).map(({ failedReason }) => failedReason)).toEqual([
        'attempt 2',
      ]);
      expect(logger.lines).toContain('error a job failed');
    },
  );

  test.skipIf(isAbsent)('a delayed job waits its time', async () => {
    const queues = await open();
    let ranAt = 0;
    await queues.work('delayed', async () => {
      ranAt = Date.now();
    });
    const asked = Date.now();
    await queues.queue('delayed').add('later', {}, { delay: 300 });
    await until(() => ranAt > 0);
    expect(ranAt - asked).toBeGreaterThanOrEqual(295);
  });

  test.skipIf(isAbsent)('a schedule starts at once and goes on; the same id replaces it', async () => {
    const ran: unknown[] = [];
    for (const round of ['first', 'second']) {
      const queues = await open();
      await queues.every('scheduled', 'pass', { everyMs: 100 }, { round });
      await queues.work<{ round: string }>('scheduled', async ({ data }) => void ran.push(data.round));
      await until(() => ran.filter((name) => name === round).length >= 3);
      expect(await queues.queue('scheduled').getJobSchedulers()).toMatchObject([{ every: 100, key: 'pass' }]);
      await queues.close();
    }
    const since = ran.indexOf('second');
    // At most the job that already waited under the first schedule.
    expect(ran.slice(since).filter((name) => name === 'first').length).toBeLessThanOrEqual(1);
  });

  test.skipIf(isAbsent)('however often a queue is woken, one job waits and one follows', async () => {
    const queues = await open();
    const gates: (() => void)[] = [];
    let running = 0;
    let atOnce = 0;
    const wakeOften = async () => {
      for (let n = 0; n < 10; n++) await wake(queues, 'detect');
      await Promise.all(Array.from({ length: 10 }, () => wake(queues, 'detect')));
    };
    const counts = () => queues.queue(QUEUES.detect).getJobCounts('waiting', 'active', 'delayed');
    await wakeOften();
    expect(await counts()).toEqual({ waiting: 1, active: 0, delayed: 0 });
    await queues.work(
      QUEUES.detect,
      async () => {
        atOnce = Math.max(atOnce, ++running);
        await new Promise<void>((resolve) => gates.push(resolve));
        running--;
      },
      { concurrency: 4 },
    );
    await until(() => gates.length === 1);
    await wakeOften();
    expect(await counts()).toMatchObject({ active: 1 });
    expect(gates).toHaveLength(1);
    gates[0]?.();
    await until(() => gates.length === 2);
    gates[1]?.();
    await until(async () => (await counts()).active === 0);
    expect(await counts()).toEqual({ waiting: 0, active: 0, delayed: 0 });
    expect([gates.length, atOnce]).toEqual([2, 1]);
    await wake(queues, 'detect');
    await until(() => gates.length === 3);
    gates[2]?.();
  });

  test.skipIf(isAbsent)('a queue whose job has failed for good can be woken again', async () => {
    const queues = await open();
    let runs = 0;
    await queues.work(QUEUES.triage, async () => {
      runs++;
      if (runs <= 1) throw new Error('no');
    });
    const options: JobsOptions = { attempts: 1, deduplication: { id: 'triage', keepLastIfActive: true } };
    const job = await queues.queue(QUEUES.triage).add('triage', {}, options);
    await until(() => job.isFailed());
    await wake(queues, 'triage');
    await until(() => runs === 2);
  });

  test.skipIf(isAbsent)('closing waits for the jobs that run', async () => {
    const queues = await open();
    let ended = false;
    let started = false;
    await queues.work('draining', async () => {
      started = true;
      await sleep(300);
      ended = true;
    });
    const { id } = await queues.queue('draining').add('slow', {});
    await queues.queue('draining').add('next', {});
    await until(() => started);
    await queues.close();
    expect(ended).toBe(true);
    const after = (await open()).queue('draining');
    expect(await (await after.getJob(id ?? ''))?.getState()).toBe('completed');
    expect(await after.getJobCounts('waiting', 'active')).toEqual({ waiting: 1, active: 0 });
  });

  test.skipIf(isAbsent)('at the deadline a job is aborted; what ignores that is done again', async () => {
    const first = await open();
    // Sets: a stall of this process that outlasts the locks has a job begun twice.
    const begun = new Set<string>();
    let aborted = false;
    const quick = { lockMs: 1_000, stalledCheckMs: 200 };
    await first.work(
      'late',
      async (job, signal) => {
        begun.add(job.name);
        if (job.name === 'deaf') await sleep(2_000);
        else
          await new Promise<void>((_, reject) =>
            signal.addEventListener('abort', () => {
              aborted = true;
              reject(new Error('aborted'));
            }),
          );
      },
      { ...quick, concurrency: 2 },
    );
    await first.queue('late').addBulk([
      { name: 'deaf', data: {} },
      { name: 'hearing', data: {}, opts: soon },
    ]);
    await until(() => begun.size === 2);
    const asked = Date.now();
    await first.close({ deadlineMs: 100 });
    expect(aborted).toBe(true);
    expect(Date.now() - asked).toBeLessThan(30_000);

    const second = await open();
    const again = new Set<string>();
    await second.work('late', async (job) => void again.add(job.name), quick);
    await until(() => again.size === 2);
    expect([...again].toSorted()).toEqual(['deaf', 'hearing']);
    await until(async () => (await second.queue('late').getJobCounts('completed')).completed === 2);
  });
});

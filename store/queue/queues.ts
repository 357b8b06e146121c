import {
  type ConnectionOptions,
  createPostgresBackend,
  type Job,
  Queue,
  runMigrations,
  Worker,
} from 'bullmq';
import { Redis } from 'ioredis';
import { ClosewatchError } from '../../model/errors.ts';
import type { Counters } from '../counters.ts';
import type { Logger } from '../logger.ts';
import type { Postgres } from '../postgres/database.ts';
import { within } from '../within.ts';

export interface QueueConfig {
  readonly postgres: Postgres;
  /** Set: the jobs are in Redis (or Valkey) instead of PostgreSQL. */
  readonly redisUrl?: string | undefined;
  /** Redis' key prefix, `closewatch` when left out. */
  readonly prefix?: string;
}

/** Does one job. The signal aborts when the process must end before the job has: what is left undone is done again. */
export type JobHandler<Data = unknown> = (job: Job<Data>, signal: AbortSignal) => Promise<unknown>;

export interface WorkOptions {
  /** Jobs at once in this process; 1 when left out. */
  readonly concurrency?: number;
  /** Milliseconds after which a job whose process died is taken up by another; renewed while it runs. 30,000. */
  readonly lockMs?: number;
  /** Milliseconds between two looks for such jobs; 5,000. */
  readonly stalledCheckMs?: number;
}

export type Every = { readonly everyMs: number } | { readonly cron: string; readonly timeZone?: string };

export interface Queues {
  readonly backend: 'postgres' | 'redis';
  /** The queue `name`, one object a name: `add`, `addBulk`, `getJob` … as BullMQ documents them. */
  queue<Data = unknown>(name: string): Queue<Data>;
  /** Runs `handler` for each job of a queue, in this process. Resolves when the worker takes jobs. Errors are logged and retried. */
  work<Data = unknown>(name: string, handler: JobHandler<Data>, options?: WorkOptions): Promise<void>;
  /** Adds a job of `data` to a queue again and again; the same id replaces the schedule. An `everyMs` one starts at once. */
  every(name: string, schedulerId: string, schedule: Every, data: unknown): Promise<void>;
  /**
   * Takes no more jobs, waits up to `deadlineMs` (10,000) for the running ones, then aborts them, and disconnects; all within
   * a few seconds more, also when what holds the jobs is away.
   */
  close(options?: { deadlineMs?: number }): Promise<void>;
}

const SCHEMA = 'bullmq';
const DAY_S = 86_400;
/** A job may outlive this many deaths of its process before it counts as failed. */
const MAX_STALLED = 10;
const JOB_DEFAULTS = {
  attempts: 3,
  backoff: { type: 'exponential', delay: 1_000 },
  removeOnComplete: { age: DAY_S, count: 1_000 },
  removeOnFail: { age: 7 * DAY_S, count: 5_000 },
};

/**
 * Opens the job queues on Redis when it is configured, else on PostgreSQL (schema `bullmq`, migrated here). Throws
 * `store.unavailable` when there is no Redis to be reached.
 */
export async function openQueues(
  config: QueueConfig,
  deps: { logger: Logger; counters?: Counters },
): Promise<Queues> {
  const { logger, counters } = deps;
  const store = config.redisUrl
    ? await openRedis(config.redisUrl, logger)
    : await openTables(config.postgres, logger);
  const prefix = config.prefix ?? 'closewatch';
  const queues = new Map<string, Queue>();
  const workers: Worker[] = [];
  const report = (name: string) => (error: Error) => {
    if (closing) return;
    counters?.add('closewatch_queue_errors', { queue: name });
    logger.error({ err: error, queue: name }, 'the job queue failed');
  };
  let closing = false;

  const open = (name: string): Queue => {
    const known = queues.get(name);
    if (known) return known;
    const queue = new Queue(
      name,
      { connection: store.connection, prefix, defaultJobOptions: JOB_DEFAULTS },
      store.factory,
    );
    queue.on('error', report(name));
    queues.set(name, queue);
    return queue;
  };

  return {
    backend: config.redisUrl ? 'redis' : 'postgres',
    queue: <Data>(name: string) => open(name) as Queue<Data>,
    async work<Data>(name: string, handler: JobHandler<Data>, options: WorkOptions = {}) {
      const worker = new Worker(
        name,
        async (job: Job, _token?: string, signal?: AbortSignal) =>
          (await handler(job as Job<Data>, signal ?? new AbortController().signal)) ?? null,
        {
          connection: store.connection,
          prefix,
          concurrency: options.concurrency ?? 1,
          lockDuration: options.lockMs ?? 30_000,
          stalledInterval: options.stalledCheckMs ?? 5_000,
          maxStalledCount: MAX_STALLED,
        },
        store.factory,
      );
      worker.on('error', report(name));
      worker.on('failed', (job, error) => {
        counters?.add('closewatch_jobs_failed', { queue: name });
        logger.error({ err: error, queue: name, job: job?.id, attempt: job?.attemptsMade }, 'a job failed');
      });
      worker.on('stalled', (job) => {
        counters?.add('closewatch_jobs_stalled', { queue: name });
        logger.warn({ queue: name, job }, 'a job is taken up again');
      });
      workers.push(worker);
      await worker.waitUntilReady();
    },
    async every(name, schedulerId, schedule, data) {
      const repeat =
        'cron' in schedule
          ? { pattern: schedule.cron, tz: schedule.timeZone ?? 'UTC' }
          : { every: schedule.everyMs };
      await open(name).upsertJobScheduler(schedulerId, repeat, { name: schedulerId, data });
    },
    async close({ deadlineMs = 10_000 } = {}) {
      if (closing) return;
      closing = true;
      await Promise.all(workers.map((worker) => drain(worker, deadlineMs, logger)));
      await within(GRACE_MS, Promise.allSettled([...queues.values()].map((queue) => queue.close())));
      await store.close();
    },
  };
}

/** What one step of an orderly end may take. */
const GRACE_MS = 1_000;

/** Ends a worker when its jobs are done, or at the deadline with their signals aborted and a second of grace. */
async function drain(worker: Worker, deadlineMs: number, logger: Logger): Promise<void> {
  const done = worker
    .close()
    .catch((error: unknown) => logger.warn({ err: error, queue: worker.name }, 'a worker did not close'));
  if (await within(deadlineMs, done)) return;
  logger.warn({ queue: worker.name }, 'jobs are still running at the deadline; they will be done again');
  worker.cancelAllJobs('closing');
  if (await within(GRACE_MS, done)) return;
  await within(GRACE_MS, Promise.allSettled([worker.getBackend().disconnect()]));
}

interface JobStore {
  readonly connection: ConnectionOptions;
  readonly factory: undefined;
  close(): Promise<void>;
}

/** BullMQ's types tie each class to one back end; the house speaks of jobs, so both go under the default one's type. */
const asDefault = (connection: unknown, factory?: unknown) =>
  ({ connection, factory }) as Pick<JobStore, 'connection' | 'factory'>;

async function openTables(postgres: Postgres, logger: Logger): Promise<JobStore> {
  const client = await postgres.pool.connect();
  try {
    const version = await runMigrations(client, SCHEMA);
    logger.debug({ version }, 'the job tables are there');
  } finally {
    client.release();
  }
  // Each queue and worker adds a listener to the pool.
  postgres.pool.setMaxListeners(0);
  return { ...asDefault(postgres.pool, createPostgresBackend), close: async () => {} };
}

async function openRedis(url: string, logger: Logger): Promise<JobStore> {
  const redis = new Redis(url, { maxRetriesPerRequest: null, lazyConnect: true });
  let last: Error | undefined;
  redis.on('error', (error: Error) => {
    last = error;
    logger.error({ err: error }, 'Redis failed');
  });
  await redis.connect().catch((error: Error) => {
    // Else it would try for ever, and keep the process for that.
    redis.disconnect();
    const cause = last ?? error;
    throw new ClosewatchError('store.unavailable', `Redis does not answer: ${cause.message}`, { cause });
  });
  // A worker that did not end in time has cut the connection that all share; one to a Redis that is away waits for ever.
  const close = async () => {
    await within(GRACE_MS, Promise.allSettled([redis.quit()]));
    redis.disconnect();
  };
  return { ...asDefault(redis), close };
}

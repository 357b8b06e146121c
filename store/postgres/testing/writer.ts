import { openQueues } from '../../queue/queues.ts';
import { openPostgres } from '../database.ts';
import { keepingLogger } from './back-ends.ts';

/**
 * A process of its own that writes to the embedded database in the folder of its first argument until it is killed: rows
 * `<second argument>-<n>` in transactions, and jobs of that name. It prints each one when it is committed. A job of the
 * queue `endless` never ends.
 */
const [dataDir = '', round = ''] = process.argv.slice(2);
const logger = keepingLogger();
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const postgres = await openPostgres({ dataDir }, { logger });
const queues = await openQueues({ postgres }, { logger });
await postgres.pool.query('CREATE TABLE IF NOT EXISTS written (id text PRIMARY KEY, pair text NOT NULL)');
say('open');

await queues.work(
  'endless',
  async (job) => {
    say(`running ${job.name}`);
    await new Promise(() => {});
  },
  { lockMs: 1_000 },
);
await queues.queue('endless').add(round, {});

async function writeRows(lane: string): Promise<never> {
  for (let n = 0; ; n++) {
    const id = `${round}-${lane}-${n}`;
    await postgres.db.transaction().execute(async (trx) => {
      const row = { id, pair: 'left' };
      await trx
        .insertInto('written' as never)
        .values(row as never)
        .execute();
      await trx
        .insertInto('written' as never)
        .values({ id: `${id}-pair`, pair: id } as never)
        .execute();
    });
    say(`row ${id}`);
  }
}

async function addJobs(): Promise<never> {
  for (let n = 0; ; n++) {
    const { id } = await queues.queue('acknowledged').add(`${round}-${n}`, { n });
    say(`job ${id}`);
  }
}

await Promise.all([writeRows('a'), writeRows('b'), addJobs()]);

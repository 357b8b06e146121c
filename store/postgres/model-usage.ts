import { sql } from 'kysely';
import type { Postgres } from './database.ts';

/** Tokens and cost (millionths), of one question or at most in a day. */
export interface Usage {
  readonly tokens: number;
  readonly cost: number;
}

export interface UsageLimits {
  /** Of all companies together, and of each, in a day (UTC). */
  readonly all: Usage;
  readonly company: Usage;
}

const ALL = '*';
const KEPT_DAYS = 30;

/**
 * Takes what a question may use out of the day's budgets, of its company and of all, before it is asked: true when both had so
 * much. At once for both, so that many questions at a time stay within them together.
 */
export async function reserveUsage(
  { db }: Pick<Postgres, 'db'>,
  { day, company, usage, limits }: { day: string; company: string; usage: Usage; limits: UsageLimits },
): Promise<boolean> {
  return await db
    .transaction()
    .execute(async (trx) => {
      for (const [name, limit] of [
        [ALL, limits.all],
        [company, limits.company],
      ] as const) {
        await sql`INSERT INTO model_usage (day, company) VALUES (${day}::date, ${name}) ON CONFLICT DO NOTHING`.execute(
          trx,
        );
        const taken =
          await sql`UPDATE model_usage SET tokens = tokens + ${usage.tokens}, cost = cost + ${usage.cost}, calls = calls + 1
        WHERE day = ${day}::date AND company = ${name}
          AND tokens + ${usage.tokens} <= ${limit.tokens} AND cost + ${usage.cost} <= ${limit.cost}
        RETURNING day`.execute(trx);
        if (taken.rows.length === 0) throw new Spent();
      }
      return true;
    })
    .catch((error: unknown) => {
      if (error instanceof Spent) return false;
      throw error;
    });
}

class Spent extends Error {}

/** Corrects what was reserved by what a question used more, or less. */
export async function settleUsage(
  { db }: Pick<Postgres, 'db'>,
  { day, company, more }: { day: string; company: string; more: Usage },
): Promise<void> {
  await sql`UPDATE model_usage SET tokens = greatest(0, tokens + ${more.tokens}), cost = greatest(0, cost + ${more.cost})
    WHERE day = ${day}::date AND company IN (${ALL}, ${company})`.execute(db);
}

/** An answer that was kept under the key; undefined when there is none. */
export async function keptAnswer({ db }: Pick<Postgres, 'db'>, key: string): Promise<unknown> {
  const row = await db.selectFrom('model_answers').select('reply').where('key', '=', key).executeTakeFirst();
  return row?.reply;
}

/** Keeps an answer, and forgets those of more than 30 days ago. */
export async function keepAnswer(
  { db }: Pick<Postgres, 'db'>,
  key: string,
  reply: object,
  at: Date,
): Promise<void> {
  await db
    .insertInto('model_answers')
    .values({ key, reply: JSON.stringify(reply), at })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const before = new Date(at.getTime() - KEPT_DAYS * 86_400_000);
  await db.deleteFrom('model_answers').where('at', '<', before).execute();
}

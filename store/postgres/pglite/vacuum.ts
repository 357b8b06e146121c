import type pg from 'pg';
import type { Logger } from '../../logger.ts';

/** How often we look, as autovacuum_naptime. */
const LOOK_EVERY_MS = 60_000;

/**
 * Tables that autovacuum would take (postgresql.org/docs/current/routine-vacuuming.html), with a higher base than its 50
 * rows: a vacuum holds up everybody here.
 */
const DUE = `SELECT format('%I.%I', schemaname, relname) AS name FROM pg_stat_user_tables
  WHERE n_dead_tup > 1000 + 0.2 * n_live_tup OR n_mod_since_analyze > 1000 + 0.1 * n_live_tup
  ORDER BY name`;

/** Vacuums and analyses the tables that are due, one after the other; returns their names. */
export async function vacuum(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(DUE);
  for (const { name } of rows) await pool.query(`VACUUM (ANALYZE) ${name}`);
  return rows.map(({ name }) => name);
}

/**
 * Does what autovacuum does on a server, for PGlite has no process for it: without, a table of few rows that often change
 * grows without end. `stop` resolves when no vacuum is under way.
 */
export function vacuumRegularly(pool: pg.Pool, logger: Logger): { stop(): Promise<void> } {
  let running: Promise<void> = Promise.resolve();
  let isRunning = false;
  const timer = setInterval(() => {
    if (isRunning) return;
    isRunning = true;
    running = vacuum(pool)
      .then(
        (tables) => {
          if (tables.length > 0) logger.debug({ tables }, 'tables were vacuumed');
        },
        (error: unknown) => logger.warn({ err: error }, 'a vacuum failed'),
      )
      .finally(() => {
        isRunning = false;
      });
  }, LOOK_EVERY_MS);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

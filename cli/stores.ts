import { join } from 'node:path';
import { type ClickHouse, connectClickHouse } from '../store/clickhouse/client.ts';
import { type Engine, startEngine } from '../store/clickhouse/engine/supervisor.ts';
import { type FinanceEventStore, openFinanceEvents } from '../store/clickhouse/finance-events.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { type Counters, createCounters } from '../store/counters.ts';
import { type Intake, openIntake } from '../store/intake/intake.ts';
import { lockDirectory } from '../store/lock.ts';
import type { Logger } from '../store/logger.ts';
import { openPostgres, type Postgres } from '../store/postgres/database.ts';
import { removeOldRunFile } from '../store/run-file.ts';
import type { Catalogue } from './catalogue.ts';
import { createClosing } from './closing.ts';
import type { Config } from './config.ts';

/** Both stores, open, at this program's schema version; embedded where the configuration names no server. */
export interface Stores {
  readonly config: Config;
  readonly logger: Logger;
  /** What this process counts, for /metrics. */
  readonly counters: Counters;
  /** What came in and what was lost, for every path by which something comes. */
  readonly intake: Intake;
  readonly postgres: Postgres;
  readonly clickhouse: ClickHouse;
  readonly events: FinanceEventStore;
  /** The embedded engine; undefined on a ClickHouse server. */
  readonly engine: Engine | undefined;
  /** What the process watches with them, when it does: read at its start. */
  readonly catalogue?: Catalogue | undefined;
  /** Closes both and gives the data directory free. */
  close(): Promise<void>;
}

/**
 * Opens the stores. What is embedded is opened only under the lock of the data directory. Throws `data-dir.locked` when
 * another process holds it, `schema.newer` when the data are of a newer program; whatever was opened is closed again.
 */
export async function openStores(config: Config, logger: Logger): Promise<Stores> {
  const closing = createClosing();
  try {
    if (!config.clickhouseUrl || !config.databaseUrl) {
      const lock = await lockDirectory(config.dataDir);
      closing.push(() => lock.release());
      removeOldRunFile(config.dataDir);
    }
    const counters = createCounters();
    const engine = config.clickhouseUrl ? undefined : await openEngine(config, logger);
    if (engine) closing.push(() => engine.stop());
    engine?.onExit(() => counters.add('closewatch_engine_restarts', {}));
    const clickhouse = connectClickHouse(engine ?? serverOf(config), { logger });
    closing.push(() => clickhouse.close());
    await migrate(clickhouse);
    const postgres = await openPostgres(
      config.databaseUrl ? { url: config.databaseUrl } : { dataDir: config.dataDir },
      { logger },
    );
    closing.push(() => postgres.close());
    const intake = openIntake({ postgres, logger, counters });
    closing.push(() => intake.close());
    const events = openFinanceEvents(clickhouse);
    return { config, logger, counters, intake, postgres, clickhouse, events, engine, close: closing.close };
  } catch (error) {
    return await closing.closeAfter(error);
  }
}

const openEngine = (config: Config, logger: Logger): Promise<Engine> =>
  startEngine({
    dataDir: join(config.dataDir, 'clickhouse'),
    port: config.enginePort,
    memoryBytes: config.engineMemory,
    logger,
  });

function serverOf(config: Config): { url: string; username: string; password: string; database: string } {
  const url = new URL(config.clickhouseUrl ?? '');
  const [username, password] = [
    decodeURIComponent(url.username) || 'default',
    decodeURIComponent(url.password),
  ];
  url.username = '';
  url.password = '';
  return { url: url.href, username, password, database: config.clickhouseDatabase };
}

import { type ClickHouse, connectClickHouse } from '../store/clickhouse/client.ts';
import { type FinanceEventStore, openFinanceEvents } from '../store/clickhouse/finance-events.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import type { Logger } from '../store/logger.ts';
import { openPostgres, type Postgres } from '../store/postgres/database.ts';
import { temporaryFolder } from './harness.ts';

/** A logger that keeps what it is told. */
export function keepingLogger(): Logger & { readonly lines: { level: string; message: string }[] } {
  const lines: { level: string; message: string }[] = [];
  const at = (level: string) => (_: object, message: string) => void lines.push({ level, message });
  return { lines, error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

/** Both embedded stores on new folders, migrated; `remove` closes them and removes the folders. */
export interface TemporaryStores {
  readonly postgres: Postgres;
  readonly clickhouse: ClickHouse;
  readonly events: FinanceEventStore;
  readonly logger: Logger;
  /** Where the engine answers, and as whom. */
  engine(): { url: string; headers: Record<string, string> };
  remove(): Promise<void>;
}

export async function temporaryStores(): Promise<TemporaryStores> {
  const folder = temporaryFolder();
  const logger = keepingLogger();
  const [engine, postgres] = await Promise.all([
    temporaryEngine({ memoryBytes: 1 << 30, port: 0, logger }),
    openPostgres({ dataDir: folder.path }, { logger }),
  ]);
  const clickhouse = connectClickHouse(engine, { logger });
  await migrate(clickhouse);
  return {
    postgres,
    clickhouse,
    events: openFinanceEvents(clickhouse),
    logger,
    engine() {
      const credentials = Buffer.from(`${engine.username}:${engine.password}`).toString('base64');
      return { url: engine.url, headers: { authorization: `Basic ${credentials}` } };
    },
    async remove() {
      await clickhouse.close();
      await postgres.close();
      await engine.remove();
      folder.remove();
    },
  };
}

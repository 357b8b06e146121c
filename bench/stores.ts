import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadFlows } from '../analyzer/detect/flow-files.ts';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { openFinanceEvents } from '../store/clickhouse/finance-events.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { openPostgres } from '../store/postgres/database.ts';
import { createMeter } from './measure.ts';

const logger = { info() {}, warn() {}, error() {}, debug() {} };

/** Both stores, embedded, on temporary folders, what is asked of them counted, and the flows of the default pack. */
export async function benchStores() {
  const dir = mkdtempSync(join(tmpdir(), 'closewatch-bench-'));
  const engine = await temporaryEngine();
  const plain = connectClickHouse(engine);
  await migrate(plain);
  const postgres = await openPostgres({ dataDir: dir, statementTimeoutMs: 3_600_000 }, { logger });
  const meter = createMeter(plain, engine.pid);
  return {
    /** The same ClickHouse, not counted. */
    plain,
    postgres,
    meter,
    events: openFinanceEvents(meter.clickhouse),
    flows: await loadFlows(join(import.meta.dirname, '../flows')),
    logger,
    async remove(): Promise<void> {
      await postgres.close();
      await plain.close();
      await engine.remove();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

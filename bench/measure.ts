import { readFileSync } from 'node:fs';
import pg from 'pg';
import { z } from 'zod';
import type { ClickHouse } from '../store/clickhouse/client.ts';
import { defineQuery } from '../store/clickhouse/query.ts';

/** What a piece of work cost: milliseconds of wall time, of this thread, of the whole process and of the engine's process. */
export interface Cost {
  readonly wallMs: number;
  readonly mainMs: number;
  readonly processMs: number;
  readonly engineMs: number;
  readonly queries: number;
  readonly statements: number;
  readonly paramBytes: number;
}

/** Counts and times work over both stores. PostgreSQL's statements are counted for the whole process. */
export interface Meter {
  /** The same client, its queries counted. */
  readonly clickhouse: ClickHouse;
  cost(work: () => Promise<unknown>): Promise<Cost>;
}

const TICKS_A_SECOND = 100;

/** Processor milliseconds that a process has used (Linux); 0 where that cannot be read. */
export function processorMs(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_A_SECOND;
  } catch {
    return 0;
  }
}

const eventCount = defineQuery({
  name: 'bench.count_events',
  sql: 'SELECT toUInt32(count()) AS events FROM finance_events',
  params: z.object({}),
  row: z.object({ events: z.number() }),
});

/** How many finance events are stored: counted, not reckoned. */
export async function storedEventCount(clickhouse: ClickHouse): Promise<number> {
  const [row] = await clickhouse.query(eventCount, {});
  return row?.events ?? 0;
}

export function createMeter(clickhouse: ClickHouse, enginePid: number | undefined): Meter {
  let [queries, statements, paramBytes] = [0, 0, 0];
  const note = (params: unknown): void => {
    queries += 1;
    paramBytes += JSON.stringify(params ?? {}).length;
  };
  const counted = new Proxy(clickhouse, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (name !== 'close') note(name === 'query' || name === 'stream' ? args[1] : undefined);
        return (value as (...all: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  const send = pg.Client.prototype.query;
  pg.Client.prototype.query = function query(this: pg.Client, ...args: Parameters<typeof send>) {
    statements += 1;
    return send.apply(this, args);
  } as typeof send;
  return {
    clickhouse: counted,
    async cost(work) {
      const before = { queries, statements, paramBytes, engine: processorMs(enginePid) };
      const [process0, main0, wall0] = [process.cpuUsage(), process.threadCpuUsage(), performance.now()];
      await work();
      const [used, main] = [process.cpuUsage(process0), process.threadCpuUsage(main0)];
      return {
        wallMs: performance.now() - wall0,
        mainMs: (main.user + main.system) / 1000,
        processMs: (used.user + used.system) / 1000,
        engineMs: processorMs(enginePid) - before.engine,
        queries: queries - before.queries,
        statements: statements - before.statements,
        paramBytes: paramBytes - before.paramBytes,
      };
    },
  };
}

/** Prints rows under their names, numbers to the right. */
export function printTable(names: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const text = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en-US') : cell)),
  );
  const widths = names.map((name, i) => Math.max(name.length, ...text.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ');
  console.log([line(names), ...text.map(line)].join('\n'));
}

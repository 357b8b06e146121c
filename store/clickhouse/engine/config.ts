import { availableParallelism } from 'node:os';

/** How one engine process runs. Bytes are bytes, times are milliseconds unless the name says otherwise. */
export interface EngineConfig {
  /** The engine's folder; it is created. The tables lie in `db/` below it. One process at a time. */
  readonly dataDir: string;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly username: string;
  readonly password: string;
  /** The database that is created as Atomic, and the default one of a request that names none. */
  readonly database: string;
  /** What the engine may allocate (`max_server_memory_usage`). */
  readonly memoryBytes: number;
  /** Queries that run at once; more wait. */
  readonly maxConcurrency: number;
  /** Requests that may wait; past it: code 202, HTTP 503. */
  readonly maxQueue: number;
  /** The largest request body, counted after decompression. */
  readonly maxBodyBytes: number;
  /** The deadline of a query that names none, and the longest one that it may name. Seconds. */
  readonly maxExecutionSeconds: number;
  /** How long running queries may go on after SIGTERM. */
  readonly drainMs: number;
}

export type EngineOptions = Pick<EngineConfig, 'dataDir' | 'password'> & Partial<EngineConfig>;

const MIB = 1024 * 1024;

/** The configuration with everything that was not given filled in. */
export function engineConfig(options: EngineOptions): EngineConfig {
  return {
    host: '127.0.0.1',
    port: 0,
    username: 'closewatch',
    database: 'closewatch',
    memoryBytes: 1536 * MIB,
    maxConcurrency: Math.max(4, availableParallelism() * 2),
    maxQueue: 256,
    maxBodyBytes: 512 * MIB,
    maxExecutionSeconds: 300,
    drainMs: 10_000,
    ...options,
  };
}

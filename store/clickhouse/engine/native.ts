import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { engineError } from './errors.ts';

/**
 * chDB's native addon. Its public `Session` postpones every close until all queries of the process have ended, so
 * that one long query would hold thousands of connections: we call the addon below it and close a connection when
 * its own query has settled. Pinned with chdb's version in package.json; the engine's tests hold it.
 */
interface Addon {
  CreateConnection(path: string, args: readonly string[]): object;
  CloseConnection(connection: object): void;
  QueryAsyncConnection(connection: object, sql: string, format: string): Promise<NativeResult>;
}

interface NativeResult {
  readonly bytes: Uint8Array;
  readonly elapsed: number;
  readonly rowsRead: number;
  readonly bytesRead: number;
}

/** What a query did. `rows` and `bytesRead` are read ones, for an insert from a file the written ones. */
export interface Outcome {
  readonly bytes: Buffer;
  readonly seconds: number;
  readonly rows: number;
  readonly bytesRead: number;
}

const require = createRequire(import.meta.url);
let addon: Addon | undefined;

function load(): Addon {
  if (!addon) {
    const loader = join(dirname(require.resolve('chdb/package.json')), 'dist', 'loader.js');
    addon = (require(loader) as { loadNative(): Addon }).loadNative();
  }
  return addon;
}

/** One connection: its own settings, parameters, current database and temporary tables; one query at a time. */
export class NativeConnection {
  readonly #handle: object;
  #closed = false;

  /** Throws an EngineError, code 76 when another process holds the folder. */
  constructor(path: string, args: readonly string[]) {
    try {
      this.#handle = load().CreateConnection(path, args);
    } catch (error) {
      throw engineError(error);
    }
  }

  /** Runs `sql` on a thread of libuv's pool. Throws an EngineError. */
  async run(sql: string, format = 'TabSeparated'): Promise<Outcome> {
    try {
      const result = await load().QueryAsyncConnection(this.#handle, sql, format);
      return {
        bytes: Buffer.from(result.bytes.buffer, result.bytes.byteOffset, result.bytes.byteLength),
        seconds: result.elapsed,
        rows: Number(result.rowsRead),
        bytesRead: Number(result.bytesRead),
      };
    } catch (error) {
      throw engineError(error);
    }
  }

  /** Must not be called while `run` is under way. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    load().CloseConnection(this.#handle);
  }
}

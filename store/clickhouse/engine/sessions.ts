import { EngineError } from './errors.ts';
import type { NativeConnection } from './native.ts';
import type { EngineRequest } from './request.ts';

/** A connection that a request may use: a fresh one, or the one of its `session_id`. */
export interface Lease {
  readonly connection: NativeConnection;
  readonly named: boolean;
  /** Nothing went well on it yet: its database is still to be chosen. */
  readonly fresh: boolean;
  /** `failed` says that the last query threw: what it left behind must not reach the next one. */
  release(failed: boolean): Promise<void>;
}

interface Named {
  readonly connection: NativeConnection;
  busy: boolean;
  fresh: boolean;
  /** Told when it is no longer busy. */
  onFree: (() => void) | undefined;
  timer: NodeJS.Timeout | undefined;
}

const MAX_SESSIONS = 256;
const TIDY_MS = 300;
const SPARE_AFTER_MS = 2;

/** Named sessions live `session_timeout` seconds behind their last request; all other requests get a fresh one. */
export class Sessions {
  readonly #named = new Map<string, Named>();
  readonly #open: () => NativeConnection;
  readonly #mend: () => Promise<unknown>;
  #spare: NativeConnection | undefined;
  #preparing = false;
  #closed = false;

  /** `mend` is called when a connection does not open; it is tried once more then. */
  constructor(open: () => NativeConnection, mend: () => Promise<unknown>) {
    this.#open = open;
    this.#mend = mend;
  }

  async lease(wanted: EngineRequest['session']): Promise<Lease> {
    try {
      return await this.#lease(wanted);
    } catch (error) {
      if (!(error instanceof EngineError) || error.type !== 'UNKNOWN_EXCEPTION') throw error;
      await this.#mend();
      return await this.#lease(wanted);
    }
  }

  async #lease(wanted: EngineRequest['session']): Promise<Lease> {
    if (!wanted) {
      const connection = this.#spare ?? this.#open();
      this.#spare = undefined;
      this.#prepareSpare();
      return { connection, named: false, fresh: true, release: async () => connection.close() };
    }
    await this.#free(this.#named.get(wanted.id));
    let session = this.#named.get(wanted.id);
    if (session?.busy)
      throw new EngineError(373, 'Session is locked by a concurrent client.', 'SESSION_IS_LOCKED');
    if (!session) {
      if (wanted.mustExist) throw new EngineError(372, 'Session not found.', 'SESSION_NOT_FOUND');
      if (this.#named.size >= MAX_SESSIONS) {
        throw new EngineError(
          202,
          `Too many sessions. Maximum: ${MAX_SESSIONS}.`,
          'TOO_MANY_SIMULTANEOUS_QUERIES',
        );
      }
      session = { connection: this.#open(), busy: false, fresh: true, onFree: undefined, timer: undefined };
      this.#named.set(wanted.id, session);
    }
    const held = session;
    held.busy = true;
    clearTimeout(held.timer);
    return {
      connection: held.connection,
      named: true,
      fresh: held.fresh,
      release: async (failed) => {
        if (failed) await held.connection.run('SELECT 1 FORMAT Null').catch(() => undefined);
        else held.fresh = false;
        held.busy = false;
        held.onFree?.();
        held.timer = setTimeout(() => this.#end(wanted.id), wanted.seconds * 1000).unref();
      },
    };
  }

  /** Opens a connection for the next request while the engine works on this one. It is used once, as all are. */
  #prepareSpare(): void {
    if (this.#preparing || this.#closed) return;
    this.#preparing = true;
    setTimeout(() => {
      this.#preparing = false;
      if (this.#closed || this.#spare) return;
      try {
        this.#spare = this.#open();
      } catch {
        // The next request opens its own, and says what is wrong.
      }
    }, SPARE_AFTER_MS).unref();
  }

  /** Waits a moment for a session whose last answer is out and whose settings are being set back. */
  async #free(session: Named | undefined): Promise<void> {
    if (!session?.busy || session.onFree) return;
    await new Promise<void>((resolve) => {
      session.onFree = resolve;
      setTimeout(resolve, TIDY_MS);
    });
    session.onFree = undefined;
  }

  #end(id: string): void {
    const session = this.#named.get(id);
    if (!session || session.busy) return;
    this.#named.delete(id);
    session.connection.close();
  }

  /** Closes what is idle; busy ones end with their query. */
  close(): void {
    this.#closed = true;
    this.#spare?.close();
    this.#spare = undefined;
    for (const [id, session] of this.#named) {
      clearTimeout(session.timer);
      this.#end(id);
    }
  }
}

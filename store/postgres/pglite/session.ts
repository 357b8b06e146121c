import type { Logger } from '../../logger.ts';
import { PgliteSocket } from './socket.ts';
import { PgliteThread, type WorkerStart } from './thread.ts';
import { fatal, greeting, query, readAnswer, sync } from './wire.ts';

/** Ends what a client left behind, an extended exchange that waits for its Sync included. */
const ROLLBACK = Buffer.concat([sync, query('ROLLBACK')]);

export interface SessionLimits {
  /**
   * A unit that takes longer is refused with 57014 and ends the thread, for nothing else interrupts it; with the thread
   * every client loses its connection, and a new thread opens the database again.
   */
  readonly statementMs: number;
  /** A client that holds a transaction and says nothing for this long is cut off and rolled back. */
  readonly idleInTransactionMs: number;
}

interface Waiting {
  readonly socket: PgliteSocket;
  readonly bytes: Buffer;
}

/**
 * PGlite's one session, shared by many `pg` clients that each believe to have a connection of their own. Units are served
 * in the order they came; a client whose transaction is open (ReadyForQuery says so) holds the session until it ends, and
 * the others wait. What a session holds besides a transaction is therefore common to all: settings, temporary tables,
 * session-level advisory locks, prepared statement names, UNLISTEN. Use transaction-level ones. COPY FROM STDIN is not served.
 */
export class SharedSession {
  readonly #start: WorkerStart;
  readonly #limits: SessionLimits;
  readonly #logger: Logger;
  readonly #sockets = new Set<PgliteSocket>();
  #thread: PgliteThread;
  #waiting: Waiting[] = [];
  #holder: PgliteSocket | undefined;
  #busy = false;
  #closing = false;
  #idleTimer: NodeJS.Timeout | undefined;
  #processes = 0;

  constructor(start: WorkerStart, limits: SessionLimits, logger: Logger) {
    this.#start = start;
    this.#limits = limits;
    this.#logger = logger;
    this.#thread = new PgliteThread(start);
  }

  /** Resolves when the database is open. */
  ready(): Promise<void> {
    return this.#thread.ready();
  }

  /** A stream that `pg` takes for a socket to a server. */
  connect(): PgliteSocket {
    const socket: PgliteSocket = new PgliteSocket({
      startup: () => socket.push(greeting(++this.#processes)),
      unit: (bytes) => {
        this.#waiting.push({ socket, bytes });
        void this.#serve();
      },
      left: () => this.#leave(socket),
    });
    this.#sockets.add(socket);
    return socket;
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#idleTimer);
    for (const socket of this.#sockets) socket.destroy();
    await this.#thread.close();
  }

  #leave(socket: PgliteSocket): void {
    this.#sockets.delete(socket);
    this.#waiting = this.#waiting.filter((unit) => unit.socket !== socket);
    if (this.#holder === socket) void this.#serve();
  }

  #next(): Waiting | undefined {
    if (this.#holder && !this.#sockets.has(this.#holder)) return { socket: this.#holder, bytes: ROLLBACK };
    const at = this.#holder ? this.#waiting.findIndex(({ socket }) => socket === this.#holder) : 0;
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0];
  }

  async #serve(): Promise<void> {
    if (this.#busy || this.#closing) return;
    this.#busy = true;
    try {
      for (let unit = this.#next(); unit && !this.#closing; unit = this.#next()) {
        clearTimeout(this.#idleTimer);
        await this.#ask(unit);
      }
    } finally {
      this.#busy = false;
      if (this.#holder && !this.#closing) this.#watchIdle(this.#holder);
    }
  }

  async #ask({ socket, bytes }: Waiting): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    let isLate = false;
    try {
      if (this.#thread.dead) this.#thread = new PgliteThread(this.#start);
      await this.#thread.ready();
      late = setTimeout(() => {
        isLate = true;
        void this.#thread.kill(new Error(`a statement took longer than ${this.#limits.statementMs} ms`));
      }, this.#limits.statementMs);
      const answer = readAnswer(await this.#thread.ask(bytes));
      if (answer.listened) socket.listening = true;
      if (answer.state === 'idle') this.#holder = undefined;
      else this.#holder = socket;
      for (const other of this.#sockets) {
        if (other.listening) for (const notification of answer.notifications) other.push(notification);
      }
      if (this.#sockets.has(socket)) socket.push(answer.bytes);
    } catch (error) {
      if (isLate) this.#cut(socket, '57014', 'canceling statement due to statement timeout');
      this.#lost(error as Error);
    } finally {
      clearTimeout(late);
    }
  }

  /** The thread is gone and with it the session: every client is told so and reconnects, as after a server's crash. */
  #lost(error: Error): void {
    this.#holder = undefined;
    this.#waiting = [];
    if (this.#closing) return;
    this.#logger.error({ err: error }, 'the embedded PostgreSQL was lost; it is opened again');
    for (const socket of [...this.#sockets])
      this.#cut(socket, '57P01', `terminating connection: ${error.message}`);
  }

  /** Ends a connection from this side, as a server does. */
  #cut(socket: PgliteSocket, sqlState: string, text: string): void {
    if (!this.#sockets.delete(socket)) return;
    socket.push(fatal(sqlState, text));
    socket.push(null);
    socket.end();
  }

  #watchIdle(holder: PgliteSocket): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => {
      if (this.#busy || this.#holder !== holder) return;
      const ms = this.#limits.idleInTransactionMs;
      this.#logger.warn({ ms }, 'a transaction was idle for too long and is rolled back');
      this.#cut(holder, '25P03', 'terminating connection due to idle-in-transaction timeout');
      void this.#serve();
    }, this.#limits.idleInTransactionMs);
    this.#idleTimer.unref();
  }
}

import { Worker } from 'node:worker_threads';

export interface WorkerStart {
  readonly dataDir: string;
  /** Server settings, as `postgres -c name=value`. */
  readonly settings: Readonly<Record<string, string>>;
}
export type ToThread = { readonly kind: 'ask'; readonly bytes: Uint8Array } | { readonly kind: 'close' };
export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly bytes: Uint8Array }
  | { readonly kind: 'closed' };

const CLOSE_WITHIN_MS = 10_000;

/**
 * One life of PGlite in its thread. It answers one question at a time; when the thread dies or is stopped, every question
 * fails and a new thread on the same directory recovers as PostgreSQL does after a crash.
 */
export class PgliteThread {
  readonly #worker: Worker;
  readonly #ready: Promise<void>;
  #pending: PromiseWithResolvers<Buffer> | undefined;
  #closed: (() => void) | undefined;
  #death: Error | undefined;

  constructor(start: WorkerStart) {
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: start, execArgv: [] });
    const ready = Promise.withResolvers<void>();
    this.#ready = ready.promise;
    ready.promise.catch(() => {});
    const die = (error: Error): void => {
      this.#death ??= error;
      ready.reject(error);
      this.#pending?.reject(error);
      this.#pending = undefined;
    };
    this.#worker.on('message', (message: FromThread) => {
      if (message.kind === 'ready') ready.resolve();
      else if (message.kind === 'closed') this.#closed?.();
      else {
        const { buffer, byteOffset, byteLength } = message.bytes;
        const pending = this.#pending;
        this.#pending = undefined;
        pending?.resolve(Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength));
      }
    });
    this.#worker.on('error', (error) => die(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on('exit', (exitCode) => die(new Error(`the PGlite thread ended (${exitCode})`)));
  }

  get dead(): boolean {
    return this.#death !== undefined;
  }

  /** Resolves when the database is open; rejects when it cannot be opened. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /** Resolves with the answer to one unit of protocol messages. Only one question may be under way. */
  async ask(bytes: Uint8Array): Promise<Buffer> {
    await this.#ready;
    if (this.#death) throw this.#death;
    if (this.#pending) throw new Error('a question is under way');
    this.#pending = Promise.withResolvers();
    const { promise } = this.#pending;
    const copy = Uint8Array.from(bytes);
    this.#worker.postMessage({ kind: 'ask', bytes: copy } satisfies ToThread, [copy.buffer]);
    return promise;
  }

  /** Ends the thread at once, whatever it does: what it had committed stays. */
  async kill(reason: Error): Promise<void> {
    this.#death ??= reason;
    this.#pending?.reject(reason);
    this.#pending = undefined;
    await this.#worker.terminate();
  }

  /** Shuts PostgreSQL down and ends the thread. */
  async close(): Promise<void> {
    if (!this.#death) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#closed = resolve;
      this.#worker.once('exit', () => resolve());
      const late = setTimeout(resolve, CLOSE_WITHIN_MS);
      this.#worker.postMessage({ kind: 'close' } satisfies ToThread);
      await promise;
      clearTimeout(late);
    }
    await this.#worker.terminate();
  }
}

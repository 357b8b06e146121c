import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ClosewatchError, type ErrorCode } from '../../../model/errors.ts';
import type { Logger } from '../../logger.ts';
import { type EngineConfig, engineConfig } from './config.ts';
import type { FromEngine, ToEngine } from './main.ts';

type Log = Pick<Logger, 'info' | 'warn' | 'error'>;

export interface StartEngineOptions extends Partial<EngineConfig> {
  readonly dataDir: string;
  readonly logger?: Log;
  /** The engine's resident memory at which it is restarted. Default: memoryBytes × 1.5 + 768 MiB. */
  readonly hardMemoryBytes?: number;
}

/** A supervised engine process. Its address and password stay the same over restarts. */
export interface Engine {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly database: string;
  /** The process of the moment; undefined between a death and the next start. */
  readonly pid: number | undefined;
  readonly restarts: number;
  /** Drains and ends the engine; resolves when its process is gone. */
  stop(): Promise<void>;
  /** Tells of an end that was not asked for; the supervisor restarts the engine by itself. */
  onExit(callback: (end: { code: number | null; signal: string | null }) => void): void;
}

const MIB = 1024 * 1024;
const START_PATIENCE_MS = 60_000;
const WATCH_EVERY_MS = 2000;
const BACK_OFF_MS = [0, 100, 300, 1000, 3000, 10_000];
/** An engine that lived so long starts over in the back-off. */
const SOUND_AFTER_MS = 30_000;
const SPARE_THREADS = 8;
/** For chDB's jemalloc: memory that a query gave back goes back to the system within a second, not when it is wanted again. */
const GIVE_BACK = 'dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true';
/** Nothing of our own environment: it holds secrets, and a local time zone would be the server's. */
const ENVIRONMENT = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  TZ: 'UTC',
  JE_MALLOC_CONF: GIVE_BACK,
};
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

/**
 * Starts an engine process and keeps it running: it is started again (same port, same password) when it dies, and
 * when its memory passes the hard limit. It ends with this process, however that ends. Throws 'data-dir.locked' or
 * 'engine.failed' when the first start fails.
 */
export async function startEngine(options: StartEngineOptions): Promise<Engine> {
  const { logger, hardMemoryBytes, ...given } = options;
  const config = engineConfig({
    ...given,
    password: given.password ?? randomBytes(24).toString('base64url'),
  });
  const supervisor = new Supervisor(config, hardMemoryBytes ?? config.memoryBytes * 1.5 + 768 * MIB, logger);
  await supervisor.start();
  return supervisor;
}

class Supervisor implements Engine {
  readonly username: string;
  readonly password: string;
  readonly database: string;
  readonly #config: EngineConfig;
  readonly #hardMemoryBytes: number;
  readonly #logger: Log | undefined;
  readonly #callbacks: ((end: { code: number | null; signal: string | null }) => void)[] = [];
  #child: ChildProcess | undefined;
  #url = '';
  #port: number;
  #restarts = 0;
  #failures = 0;
  #stopping = false;
  #watch: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(config: EngineConfig, hardMemoryBytes: number, logger: Log | undefined) {
    this.username = config.username;
    this.password = config.password;
    this.database = config.database;
    this.#config = config;
    this.#port = config.port;
    this.#hardMemoryBytes = hardMemoryBytes;
    this.#logger = logger;
  }

  get url(): string {
    return this.#url;
  }
  get pid(): number | undefined {
    return this.#child?.pid;
  }
  get restarts(): number {
    return this.#restarts;
  }
  onExit(callback: (end: { code: number | null; signal: string | null }) => void): void {
    this.#callbacks.push(callback);
  }

  /** Starts one process and waits until it serves. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, ['--no-warnings', MAIN], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        ...ENVIRONMENT,
        UV_THREADPOOL_SIZE: String(this.#config.maxConcurrency + SPARE_THREADS),
      },
    });
    for (const output of [child.stdout, child.stderr]) {
      output?.on('data', (bytes: Buffer) => {
        this.#logger?.warn({ output: bytes.toString('utf8').slice(0, 2000) }, 'the engine wrote');
      });
    }
    const ready = new Promise<Extract<FromEngine, { type: 'ready' }>>((resolve, reject) => {
      child.on('message', (message: FromEngine) => {
        if (message.type === 'ready') resolve(message);
        else reject(new ClosewatchError(message.code as ErrorCode, message.message));
      });
      child.once('exit', (code, signal) =>
        reject(new ClosewatchError('engine.failed', `the engine ended while starting (${signal ?? code})`)),
      );
      child.once('error', reject);
      setTimeout(
        () => reject(new ClosewatchError('engine.failed', 'the engine did not start')),
        START_PATIENCE_MS,
      ).unref();
    });
    const message: ToEngine = { type: 'start', options: { ...this.#config, port: this.#port } };
    child.send(message, () => undefined);
    this.#child = child;
    try {
      const { url, port, version } = await ready;
      this.#url = url;
      this.#port = port;
      this.#logger?.info({ pid: child.pid, url, version }, 'the engine serves');
    } catch (error) {
      this.#child = undefined;
      child.kill('SIGKILL');
      throw error;
    }
    const since = Date.now();
    child.once('exit', (code, signal) => this.#ended(code, signal, Date.now() - since));
    this.#watchMemory(child);
  }

  #ended(code: number | null, signal: string | null, livedMs: number): void {
    clearInterval(this.#watch);
    this.#child = undefined;
    if (this.#stopping) return;
    if (livedMs > SOUND_AFTER_MS) this.#failures = 0;
    this.#logger?.error({ code, signal }, 'the engine ended unexpectedly; it is started again');
    for (const callback of this.#callbacks) callback({ code, signal });
    this.#startLater();
  }

  #startLater(): void {
    const wait = BACK_OFF_MS[Math.min(this.#failures, BACK_OFF_MS.length - 1)];
    this.#failures++;
    this.#retry = setTimeout(async () => {
      try {
        await this.start();
        this.#restarts++;
        if (this.#stopping) await this.stop();
      } catch (error) {
        this.#logger?.error({ err: error }, 'the engine did not start again');
        if (!this.#stopping) this.#startLater();
      }
    }, wait);
  }

  #watchMemory(child: ChildProcess): void {
    let above = 0;
    this.#watch = setInterval(() => {
      const bytes = residentBytes(child.pid);
      above = bytes !== undefined && bytes > this.#hardMemoryBytes ? above + 1 : 0;
      if (above < 2) return;
      above = 0;
      this.#logger?.error(
        { bytes, limit: this.#hardMemoryBytes },
        'the engine passed its memory limit; restart',
      );
      void end(child, { type: 'stop', drainMs: 2000 }, 5000);
    }, WATCH_EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#retry);
    const child = this.#child;
    if (child) await end(child, { type: 'stop' }, this.#config.drainMs + 6000);
  }
}

/** Asks a process to end and waits for it; kills it when it does not. */
async function end(child: ChildProcess, message: ToEngine, patienceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  if (child.connected) child.send(message, () => undefined);
  else child.kill('SIGTERM');
  await gone;
  clearTimeout(timer);
}

/** Resident memory of a process in bytes (Linux's /proc; undefined elsewhere). In kB there, whatever a page's size. */
function residentBytes(pid: number | undefined): number | undefined {
  try {
    const kib = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}

import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Lock, lockDirectory } from '../../lock.ts';
import { decoded, expectedBytes, receive } from './body.ts';
import { type EngineConfig, type EngineOptions, engineConfig } from './config.ts';
import { EngineError, engineError } from './errors.ts';
import { Executor } from './execute.ts';
import { bodyFolders } from './files.ts';
import { isForm, readForm } from './form.ts';
import { NativeConnection } from './native.ts';
import { forgetUncommitted } from './repair.ts';
import { authenticate, readRequest } from './request.ts';
import { Answer } from './response.ts';
import { Sessions } from './sessions.ts';
import { writeEngineSettings } from './settings.ts';
import { Slots } from './slots.ts';

/** An engine that serves in this process. */
export interface RunningEngine {
  readonly url: string;
  readonly port: number;
  readonly version: string;
  /**
   * Takes no new request, lets running ones end for `drainMs`, kills the rest, closes the data directory. False when a
   * query would not end: the directory is still open then, and only the end of the process frees it.
   */
  stop(drainMs?: number): Promise<boolean>;
}

const MIB = 1024 * 1024;
const MAX_QUERY_BYTES = 16 * MIB;
const DEFAULT_QUERY_BYTES = MIB;
/** How long a predecessor may take to end: one whose parent was killed has a query to stop first. */
const LOCK_PATIENCE_MS = 12_000;
/** ClickHouse cannot open a file: here its own lock of the folder. */
const CANNOT_OPEN_FILE = 76;
const ABORTED = 236;

/**
 * Serves chDB over ClickHouse's HTTP interface until `stop`. The process should have been started with
 * UV_THREADPOOL_SIZE ≥ maxConcurrency + 8, as each running query holds one thread of libuv's pool (`startEngine` does
 * so). Throws ClosewatchError 'data-dir.locked' when another process serves the folder.
 */
export async function runEngine(options: EngineOptions): Promise<RunningEngine> {
  const config = engineConfig({ ...options, dataDir: resolve(options.dataDir) });
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const lock = await lockDirectory(config.dataDir, { waitMs: LOCK_PATIENCE_MS });
  try {
    return await serve(config, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function serve(config: EngineConfig, lock: Lock): Promise<RunningEngine> {
  const args = writeEngineSettings(config);
  const path = join(config.dataDir, 'db');
  forgetUncommitted(path);
  const killer = await openWithPlainDefault(path, args);
  const folders = bodyFolders(config.dataDir);
  await killer.run(`CREATE DATABASE IF NOT EXISTS \`${config.database}\` ENGINE = Atomic`);
  const version = (await killer.run('SELECT version()')).bytes.toString('utf8').trim();
  const sessions = new Sessions(
    () => new NativeConnection(path, args),
    // Without a database of this name no connection opens.
    () => executor.aside('CREATE DATABASE IF NOT EXISTS default ENGINE = Memory'),
  );
  const slots = new Slots(folders.choose(0), config.maxConcurrency, config.maxQueue);
  const executor = new Executor(sessions, slots, killer, config.database);
  const door = new Door({ config, executor, slots, folders, version });
  const server = createServer({ keepAliveTimeout: 10_000, requestTimeout: 600_000 }, (request, response) => {
    void door.handle(request, response);
  });
  server.maxConnections = config.maxConcurrency + config.maxQueue + 256;
  const port = await listen(server, config);
  let stopping: Promise<boolean> | undefined;
  const stop = async (drainMs: number): Promise<boolean> => {
    door.close();
    server.close();
    server.closeIdleConnections();
    if (!(await idle(() => door.active === 0, drainMs))) {
      await executor.killAll();
      // Also a query that waits for its client to read ends then.
      server.closeAllConnections();
      await idle(() => door.active === 0, 2000);
    }
    server.closeAllConnections();
    folders.remove();
    if (door.active > 0) return false;
    sessions.close();
    killer.close();
    lock.release();
    return true;
  };
  return {
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
    port,
    version,
    stop: (drainMs = config.drainMs) => {
      stopping ??= stop(drainMs);
      return stopping;
    },
  };
}

/** Opens chDB's folder. Our lock is held, but the kernel may give ClickHouse's own lock free a moment behind it. */
async function openDatabase(path: string, args: readonly string[]): Promise<NativeConnection> {
  const until = Date.now() + LOCK_PATIENCE_MS;
  for (;;) {
    try {
      return new NativeConnection(path, args);
    } catch (error) {
      const isLocked = error instanceof EngineError && error.code === CANNOT_OPEN_FILE;
      if (!isLocked || Date.now() >= until) throw error;
      await sleep(200);
    }
  }
}

/**
 * chDB's own database `default` takes every file of the machine for a table, which DESCRIBE reads and TRUNCATE empties
 * without a grant. An empty one in memory takes its place, made anew at each start: its tables end with the process.
 */
async function openWithPlainDefault(path: string, args: readonly string[]): Promise<NativeConnection> {
  rmSync(join(path, 'metadata', 'default.sql'), { force: true });
  rmSync(join(path, 'data', 'default'), { recursive: true, force: true });
  const connection = await openDatabase(path, args);
  await connection.run('DETACH DATABASE default');
  await connection.run('CREATE DATABASE default ENGINE = Memory');
  return connection;
}

async function listen(server: Server, config: EngineConfig): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.host, resolve);
  });
  return (server.address() as AddressInfo).port;
}

async function idle(isIdle: () => boolean, ms: number): Promise<boolean> {
  const until = Date.now() + ms;
  while (!isIdle() && Date.now() < until) await sleep(20);
  return isIdle();
}

interface DoorParts {
  readonly config: EngineConfig;
  readonly executor: Executor;
  readonly slots: Slots;
  readonly folders: ReturnType<typeof bodyFolders>;
  readonly version: string;
}

/** What happens to one HTTP request, from its first line to the last byte of its answer. */
class Door {
  readonly #parts: DoorParts;
  #open = true;
  #active = 0;

  constructor(parts: DoorParts) {
    this.#parts = parts;
  }

  get active(): number {
    return this.#active;
  }

  close(): void {
    this.#open = false;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = URL.parse(request.url ?? '/', 'http://engine');
    if (!url || !['GET', 'HEAD', 'POST'].includes(request.method ?? '')) {
      response.writeHead(url ? 405 : 400, { Allow: 'GET, HEAD, POST', Connection: 'close' }).end();
      return;
    }
    const isPlain = request.method !== 'POST' && !url.searchParams.has('query');
    if (isPlain && ['/', '/ping', '/replicas_status'].includes(url.pathname)) {
      response.writeHead(this.#open ? 200 : 503, { 'Content-Type': 'text/html; charset=UTF-8' }).end('Ok.\n');
      return;
    }
    if (url.pathname !== '/') {
      response
        .writeHead(404, { Connection: 'close' })
        .end(`There is no handle ${url.pathname.slice(0, 80)}\n`);
      return;
    }
    this.#active++;
    try {
      await this.#query(request, response, url);
    } finally {
      this.#active--;
    }
  }

  async #query(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const { config, executor, slots, folders, version } = this.#parts;
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished)
        gone.abort(new EngineError(394, 'The client has left.', 'QUERY_WAS_CANCELLED'));
    });
    let answer = new Answer(request, response, version, randomUUID());
    try {
      authenticate(request, url, config);
      if (!this.#open) throw new EngineError(ABORTED, 'The engine is shutting down.', 'ABORTED', 503);
      let asked = readRequest(request, url, config);
      answer = new Answer(request, response, version, asked.queryId ?? randomUUID());
      slots.admit();
      let body = decoded(request);
      const type = request.headers['content-type'] ?? '';
      if (isForm(type)) {
        const form = await readForm(body, type, MAX_QUERY_BYTES);
        asked = {
          ...asked,
          query: asked.query + form.query,
          params: new Map([...asked.params, ...form.params]),
        };
        body = Readable.from([]);
      }
      const received = await receive(asked.query, body, {
        folders,
        expectedBytes: expectedBytes(request),
        maxBodyBytes: config.maxBodyBytes,
        maxQueryBytes: queryLimit(asked.settings.get('max_query_size')),
        defaultFormat: asked.defaultFormat,
        params: asked.params,
      });
      if (asked.wantsNativeRevision && /^native$/i.test(received.statement.format)) {
        if (received.dataFile) rmSync(received.dataFile, { force: true });
        throw new EngineError(48, 'Native with client_protocol_version is not supported.', 'NOT_IMPLEMENTED');
      }
      const wrote = received.statement.kind === 'insert';
      await executor.run(asked, received, gone.signal, (running) => answer.send(running, asked, wrote));
    } catch (error) {
      const failure = engineError(error);
      answer.fail(failure);
      if (failure.code === ABORTED && (await isBroken(executor))) process.kill(process.pid, 'SIGKILL');
    }
  }
}

/** Behind a crash inside of it chDB refuses everything for minutes before it ends; a merge that was stopped is no crash. */
const isBroken = (executor: Executor): Promise<boolean> =>
  executor.aside('SELECT 1').then(
    () => false,
    (error: EngineError) => error.code === ABORTED,
  );

const queryLimit = (asked: string | undefined): number =>
  Math.min(MAX_QUERY_BYTES, Math.max(DEFAULT_QUERY_BYTES, Number(asked) || 0));

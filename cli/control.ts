import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { ClosewatchError, type ErrorCode, errorCode, type Problem } from '../model/errors.ts';
import { within } from '../store/within.ts';
import type { AnyTask } from './task.ts';

/**
 * What a running process answers to a task, one JSON object a line: any number of `progress`, and `alive` where there is none
 * for a while, then `result` or `error`.
 */
type Line =
  | { progress: unknown }
  | { alive: true }
  | { result: unknown }
  | { error: { code: ErrorCode | 'internal'; message: string; problems: readonly Problem[] } };

export interface Control {
  readonly url: string;
  /** Whoever has it may do everything that the command line can; it lies in the run file, mode 0600. */
  readonly token: string;
  /** Takes no more tasks, has those that run stop where they next report, and waits for that up to `deadlineMs` (10,000). */
  close(deadlineMs?: number): Promise<void>;
}

const MAX_ARGS_BYTES = 1 << 20;
/** A client gives up when nothing comes for five minutes, and a task may well report nothing for longer. */
const ALIVE_EVERY_MS = 10_000;
/** How long a busy process may take to say that it is there. */
const ANSWER_WITHIN_MS = 30_000;

function mayEnter(request: IncomingMessage, token: string): boolean {
  const given = Buffer.from(request.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/**
 * Serves the command line's tasks on loopback, so that a second command works on the stores that this process holds. A task
 * whose asker has left ends where it next reports.
 */
export async function serveControl<Context>(
  tasks: ReadonlyMap<string, AnyTask<Context>>,
  context: Context,
  options: { aliveEveryMs?: number } = {},
): Promise<Control> {
  const token = randomBytes(32).toString('base64url');
  const running = new Set<Promise<void>>();

  async function answer(task: AnyTask<Context>, request: IncomingMessage, response: ServerResponse) {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' }).flushHeaders();
    const left = new AbortController();
    const write = (line: Line): void => void response.write(`${JSON.stringify(line)}\n`);
    const alive = setInterval(() => write({ alive: true }), options.aliveEveryMs ?? ALIVE_EVERY_MS);
    response.once('close', () => {
      clearInterval(alive);
      left.abort(new Error('whoever asked for the task has left'));
    });
    const report = (progress: unknown): void => {
      left.signal.throwIfAborted();
      write({ progress });
    };
    try {
      const args = task.args.parse(JSON.parse(await text(request)));
      write({ result: await task.run(context, args, report) });
    } catch (error) {
      const problems = error instanceof ClosewatchError ? error.problems : [];
      write({ error: { code: errorCode(error) ?? 'internal', message: (error as Error).message, problems } });
    }
    response.end();
  }

  const server = createServer((request, response) => {
    if (!mayEnter(request, token)) return void response.writeHead(401).end();
    if (request.method === 'GET' && request.url === '/')
      return void response.end(JSON.stringify({ pid: process.pid }));
    const task = tasks.get((request.url ?? '').slice(1));
    if (!task || request.method !== 'POST') return void response.writeHead(404).end();
    if (Number(request.headers['content-length'] ?? Number.NaN) > MAX_ARGS_BYTES)
      return void response.writeHead(413).end();
    const answered = answer(task, request, response).finally(() => running.delete(answered));
    running.add(answered);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    async close(deadlineMs = 10_000) {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await within(deadlineMs, Promise.all(running));
    },
  };
}

/** Does the process `pid` answer at this door? Another program that has come by its port does not. */
export async function isDoorOf(pid: number, control: { url: string; token: string }): Promise<boolean> {
  try {
    const response = await fetch(control.url, {
      headers: { authorization: `Bearer ${control.token}` },
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    return ((await response.json()) as { pid?: unknown } | null)?.pid === pid;
  } catch {
    return false;
  }
}

/** Has the running process at `control` do the task; throws its error as it was there. */
export async function askControl<Result>(
  control: { url: string; token: string },
  task: string,
  args: unknown,
  onProgress: (progress: unknown) => void,
): Promise<Result> {
  const ended = (cause?: unknown): ClosewatchError =>
    new ClosewatchError('store.unavailable', `the running process ended before the task ${task} was done`, {
      cause,
    });
  const response = await fetch(`${control.url}/${task}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${control.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(args),
  }).catch((error) => {
    throw ended(error);
  });
  if (!response.ok || !response.body) {
    throw new ClosewatchError(
      'store.unavailable',
      `the running process refused the task ${task}: HTTP ${response.status}`,
    );
  }
  const input = Readable.fromWeb(response.body as WebStream);
  let broken: unknown;
  input.once('error', (error) => {
    broken = error;
  });
  const lines = createInterface({ input })[Symbol.asyncIterator]();
  const next = () =>
    lines.next().catch((error) => {
      throw ended(error);
    });
  for (let line = await next(); !line.done; line = await next()) {
    const message = JSON.parse(line.value) as Line;
    if ('alive' in message) continue;
    if ('progress' in message) onProgress(message.progress);
    else if ('result' in message) return message.result as Result;
    else {
      const { code, message: text, problems } = message.error;
      throw code === 'internal' ? new Error(text) : new ClosewatchError(code, text, { problems });
    }
  }
  throw ended(broken);
}

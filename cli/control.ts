import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { ClosewatchError, type ErrorCode, errorCode, type Problem } from '../model/errors.ts';
import type { AnyTask } from './task.ts';

/** What a running process answers to a task, one JSON object a line: any number of `progress`, then `result` or `error`. */
type Line =
  | { progress: unknown }
  | { result: unknown }
  | { error: { code: ErrorCode | 'internal'; message: string; problems: readonly Problem[] } };

export interface Control {
  readonly url: string;
  /** Whoever has it may do everything that the command line can; it lies in the run file, mode 0600. */
  readonly token: string;
  close(): Promise<void>;
}

const MAX_ARGS_BYTES = 1 << 20;

function mayEnter(request: IncomingMessage, token: string): boolean {
  const given = Buffer.from(request.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** Serves the command line's tasks on loopback, so that a second command works on the stores that this process holds. */
export async function serveControl<Context>(
  tasks: ReadonlyMap<string, AnyTask<Context>>,
  context: Context,
): Promise<Control> {
  const token = randomBytes(32).toString('base64url');
  const server = createServer(async (request, response) => {
    if (!mayEnter(request, token)) return void response.writeHead(401).end();
    const task = tasks.get((request.url ?? '').slice(1));
    if (!task || request.method !== 'POST') return void response.writeHead(404).end();
    if (Number(request.headers['content-length'] ?? Number.NaN) > MAX_ARGS_BYTES)
      return void response.writeHead(413).end();
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const write = (line: Line): void => void response.write(`${JSON.stringify(line)}\n`);
    try {
      const args = task.args.parse(JSON.parse(await text(request)));
      write({ result: await task.run(context, args, (progress) => write({ progress })) });
    } catch (error) {
      const problems = error instanceof ClosewatchError ? error.problems : [];
      write({ error: { code: errorCode(error) ?? 'internal', message: (error as Error).message, problems } });
    }
    response.end();
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Has the running process at `control` do the task; throws its error as it was there. */
export async function askControl<Result>(
  control: { url: string; token: string },
  task: string,
  args: unknown,
  onProgress: (progress: unknown) => void,
): Promise<Result> {
  const response = await fetch(`${control.url}/${task}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${control.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(args),
  });
  if (!response.ok || !response.body) {
    throw new ClosewatchError(
      'store.unavailable',
      `the running process refused the task ${task}: HTTP ${response.status}`,
    );
  }
  const ended = (cause?: unknown): ClosewatchError =>
    new ClosewatchError('store.unavailable', `the running process ended before the task ${task} was done`, {
      cause,
    });
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
    if ('progress' in message) onProgress(message.progress);
    else if ('result' in message) return message.result as Result;
    else {
      const { code, message: text, problems } = message.error;
      throw code === 'internal' ? new Error(text) : new ClosewatchError(code, text, { problems });
    }
  }
  throw ended(broken);
}

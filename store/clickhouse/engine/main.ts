/**
 * The engine's process: told its configuration by its parent over IPC (so that the password stands in no command line
 * and no environment), it serves until SIGTERM, `stop` or the end of its parent.
 */
import { ClosewatchError, errorCode } from '../../../model/errors.ts';
import type { EngineOptions } from './config.ts';
import { type RunningEngine, runEngine } from './server.ts';

/** What the parent says and hears. */
export type ToEngine =
  | { readonly type: 'start'; readonly options: EngineOptions }
  | { readonly type: 'stop'; readonly drainMs?: number };
export type FromEngine =
  | { readonly type: 'ready'; readonly url: string; readonly port: number; readonly version: string }
  | { readonly type: 'failed'; readonly code: string; readonly message: string };

/** How long running queries have when the parent is gone: nobody waits for them. */
const ORPHAN_DRAIN_MS = 500;
/** How long past its drain the process may need to end. */
const EXIT_PATIENCE_MS = 5000;

let engine: RunningEngine | undefined;
let ending = false;

const tell = (message: FromEngine): void => {
  if (process.connected) process.send?.(message);
};

async function end(drainMs: number | undefined, code: number): Promise<void> {
  if (ending) return;
  ending = true;
  const patience = (drainMs ?? 10_000) + EXIT_PATIENCE_MS;
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), patience).unref();
  const isClosed = (await engine?.stop(drainMs)) ?? true;
  // With a query inside of chDB `process.exit` would wait for it, and no timer would run any more.
  if (!isClosed) process.kill(process.pid, 'SIGKILL');
  process.exit(code);
}

async function start(options: EngineOptions): Promise<void> {
  try {
    engine = await runEngine(options);
    tell({ type: 'ready', url: engine.url, port: engine.port, version: engine.version });
  } catch (error) {
    const code = errorCode(error) ?? 'engine.failed';
    const message =
      error instanceof ClosewatchError || error instanceof Error ? error.message : String(error);
    tell({ type: 'failed', code, message });
    await end(0, 1);
  }
}

process.on('message', (message: ToEngine) => {
  if (message.type === 'start') void start(message.options);
  else void end(message.drainMs, 0);
});
process.once('SIGTERM', () => void end(undefined, 0));
// The terminal's Ctrl-C reaches parent and child at once: the parent says when we end.
process.on('SIGINT', () => undefined);
process.once('disconnect', () => void end(ORPHAN_DRAIN_MS, 0));

import { z } from 'zod';
import { ClosewatchError, errorCode } from '../model/errors.ts';
import { type RunFile, readRunFile } from '../store/run-file.ts';
import type { Config } from './config.ts';
import { askControl } from './control.ts';
import { createLogger } from './logger.ts';
import { doorOf, findRunning } from './running.ts';
import { openStores, type Stores } from './stores.ts';
import type { Task } from './task.ts';
import { startTelemetry, type Telemetry } from './telemetry.ts';

/**
 * Does a task in the process that holds the stores: the running one when there is one, else in this process, which opens
 * the stores, and closes them after. Throws what the task throws, `data-dir.locked` when another process holds the stores and
 * takes no commands.
 */
export async function runTask<Args, Progress, Result>(
  task: Task<Stores, Args, Progress, Result>,
  args: Args,
  config: Config,
  onProgress: (progress: Progress) => void = () => {},
): Promise<Result> {
  const checked = task.args.safeParse(args);
  if (!checked.success) throw new ClosewatchError('config.invalid', z.prettifyError(checked.error));
  const running = await findRunning(config.dataDir);
  if (running) return await ask(running);
  const logger = createLogger(config.logLevel === 'info' ? 'warn' : config.logLevel);
  let stores: Stores;
  try {
    stores = await openStores({ ...config, enginePort: 0 }, logger);
  } catch (error) {
    if (errorCode(error) !== 'data-dir.locked') throw error;
    const started = await findRunning(config.dataDir);
    if (started) return await ask(started);
    if (!readRunFile(config.dataDir)) throw error;
    throw new ClosewatchError('data-dir.locked', `${(error as Error).message}, which does not answer`, {
      cause: error,
    });
  }
  let telemetry: Telemetry | undefined;
  try {
    telemetry = await startTelemetry(config, logger);
    return await task.run(stores, checked.data, onProgress);
  } finally {
    await stores.close();
    await telemetry?.stop();
  }

  function ask(process: RunFile): Promise<Result> {
    return askControl<Result>(doorOf(process), task.name, args, onProgress as (progress: unknown) => void);
  }
}

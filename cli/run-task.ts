import { z } from 'zod';
import { ClosewatchError, errorCode } from '../model/errors.ts';
import { type RunFile, readRunFile } from '../store/run-file.ts';
import type { Config } from './config.ts';
import { askControl } from './control.ts';
import { createLogger } from './logger.ts';
import { openStores, type Stores } from './stores.ts';
import type { Task } from './task.ts';
import { startTelemetry, type Telemetry } from './telemetry.ts';

/**
 * Does a task in the process that holds the stores: the running one when there is one, else in this process, which opens
 * the stores, and closes them after. Throws what the task throws.
 */
export async function runTask<Args, Progress, Result>(
  task: Task<Stores, Args, Progress, Result>,
  args: Args,
  config: Config,
  onProgress: (progress: Progress) => void = () => {},
): Promise<Result> {
  const checked = task.args.safeParse(args);
  if (!checked.success) throw new ClosewatchError('config.invalid', z.prettifyError(checked.error));
  const running = readRunFile(config.dataDir);
  if (running) return await ask(running);
  const logger = createLogger(config.logLevel === 'info' ? 'warn' : config.logLevel);
  let stores: Stores;
  try {
    stores = await openStores({ ...config, enginePort: 0 }, logger);
  } catch (error) {
    const started = errorCode(error) === 'data-dir.locked' && readRunFile(config.dataDir);
    if (started) return await ask(started);
    throw error;
  }
  let telemetry: Telemetry | undefined;
  try {
    telemetry = await startTelemetry(config, logger);
    return await task.run(stores, checked.data, onProgress);
  } finally {
    await stores.close();
    await telemetry?.stop();
  }

  function ask({ ports, controlToken }: RunFile): Promise<Result> {
    const control = { url: `http://127.0.0.1:${ports.control}`, token: controlToken };
    return askControl<Result>(control, task.name, args, onProgress as (progress: unknown) => void);
  }
}

import { type RunFile, readRunFile } from '../store/run-file.ts';
import type { Config } from './config.ts';
import { askControl } from './control.ts';
import { createLogger } from './logger.ts';
import { openStores, type Stores } from './stores.ts';
import type { Task } from './task.ts';

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
  const running = readRunFile(config.dataDir);
  if (running) {
    const report = onProgress as (progress: unknown) => void;
    return askControl<Result>(
      { url: controlUrl(running), token: running.controlToken },
      task.name,
      args,
      report,
    );
  }
  const stores = await openStores(
    { ...config, enginePort: 0 },
    createLogger(config.logLevel === 'info' ? 'warn' : config.logLevel),
  );
  try {
    return await task.run(stores, task.args.parse(args), onProgress);
  } finally {
    await stores.close();
  }
}

const controlUrl = (running: RunFile): string => `http://127.0.0.1:${running.ports['control']}`;

import { type RunFile, readRunFile } from '../store/run-file.ts';
import { isDoorOf } from './control.ts';

/**
 * The process that runs on this data directory and takes commands; undefined for none. The run file alone proves nothing:
 * after a kill -9 another program may have the process id, and in a container it nearly always has.
 */
export async function findRunning(dataDir: string): Promise<RunFile | undefined> {
  const run = readRunFile(dataDir);
  return run && (await isDoorOf(run.pid, doorOf(run))) ? run : undefined;
}

/** Where a running process takes commands, and the token for it. */
export const doorOf = ({ ports, controlToken }: RunFile): { url: string; token: string } => ({
  url: `http://127.0.0.1:${ports.control}`,
  token: controlToken,
});

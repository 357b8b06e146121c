import type { z } from 'zod';

/**
 * A piece of work of the command line on the stores. It runs in the process that holds them: in the running one when
 * there is one, else in this. So its arguments, progress and result are JSON, and it neither prints nor exits. `report`
 * throws once nobody waits for the result any more: a task that takes long reports now and then, and lets that end it.
 */
export interface Task<Context, Args, Progress, Result> {
  readonly name: string;
  readonly args: z.ZodType<Args>;
  run(context: Context, args: Args, report: (progress: Progress) => void): Promise<Result>;
}

/** A task whose arguments are known by its schema alone. */
export interface AnyTask<Context> {
  readonly name: string;
  readonly args: z.ZodType;
  run(context: Context, args: unknown, report: (progress: unknown) => void): Promise<unknown>;
}

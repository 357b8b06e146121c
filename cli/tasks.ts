import { backtestTask } from './backtest.ts';
import { discardDeadLettersTask, listDeadLettersTask, showDeadLetterTask } from './dead-letters.ts';
import { detectTask } from './detect.ts';
import { doctorTask } from './doctor-stores.ts';
import { importTask } from './import.ts';
import type { Stores } from './stores.ts';
import type { AnyTask } from './task.ts';
import { createTokenTask, listTokensTask, revokeTokenTask } from './token.ts';
import { addUserTask, linkUserTask, listUsersTask } from './users.ts';

const ALL: readonly AnyTask<Stores>[] = [
  importTask,
  detectTask,
  backtestTask,
  doctorTask,
  createTokenTask,
  listTokensTask,
  revokeTokenTask,
  addUserTask,
  linkUserTask,
  listUsersTask,
  listDeadLettersTask,
  showDeadLetterTask,
  discardDeadLettersTask,
];

/** The tasks that a running process does for other commands, by name. */
export const TASKS: ReadonlyMap<string, AnyTask<Stores>> = new Map(ALL.map((task) => [task.name, task]));

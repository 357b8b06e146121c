import { anchorAuditTask, exportAuditTask, verifyAuditTask } from './audit-tasks.ts';
import { backtestTask, sweepTask } from './backtest.ts';
import { detectTask } from './detect.ts';
import { doctorTask } from './doctor-stores.ts';
import { correctedCasesTask } from './eval-triage.ts';
import { discoverTask, learnTask, predictTask } from './flow-history.ts';
import { flowStatusTask } from './flow-status.ts';
import { importTask } from './import.ts';
import {
  discardDeadLettersTask,
  listDeadLettersTask,
  listEventsTask,
  replayDeadLettersTask,
  sendOnTask,
  showDeadLetterTask,
  showEventTask,
} from './inbox-tasks.ts';
import { examineOdooTask } from './odoo-examination.ts';
import { addOdooTask, listOdoosTask, removeOdooTask, setWriterTask } from './odoo-tasks.ts';
import { retentionTask } from './retention.ts';
import type { Stores } from './stores.ts';
import type { AnyTask } from './task.ts';
import { createTokenTask, listTokensTask, revokeTokenTask, rotateSecretTask } from './token.ts';
import { addUserTask, linkUserTask, listUsersTask, roleUserTask, tokenUserTask } from './users.ts';

const ALL: readonly AnyTask<Stores>[] = [
  importTask,
  detectTask,
  backtestTask,
  sweepTask,
  doctorTask,
  flowStatusTask,
  learnTask,
  discoverTask,
  predictTask,
  retentionTask,
  createTokenTask,
  listTokensTask,
  revokeTokenTask,
  rotateSecretTask,
  addUserTask,
  linkUserTask,
  listUsersTask,
  roleUserTask,
  tokenUserTask,
  listDeadLettersTask,
  showDeadLetterTask,
  discardDeadLettersTask,
  replayDeadLettersTask,
  listEventsTask,
  showEventTask,
  sendOnTask,
  listOdoosTask,
  addOdooTask,
  removeOdooTask,
  setWriterTask,
  examineOdooTask,
  verifyAuditTask,
  exportAuditTask,
  anchorAuditTask,
  correctedCasesTask,
];

/** The tasks that a running process does for other commands, by name. */
export const TASKS: ReadonlyMap<string, AnyTask<Stores>> = new Map(ALL.map((task) => [task.name, task]));

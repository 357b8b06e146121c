import type { OdooModel } from '../../odoo/models.ts';
import type { RecordKind } from './kind.ts';
import { bankAccounts } from './kinds/bank-accounts.ts';
import { bankStatements, statementLines } from './kinds/bank-statements.ts';
import { expenseSheets, expenses } from './kinds/expenses.ts';
import { crons, ediDocuments, queueJobs } from './kinds/jobs.ts';
import { journalEntries } from './kinds/journal-entries.ts';
import { purchaseOrders, salesOrders } from './kinds/orders.ts';
import { payments } from './kinds/payments.ts';
import { lockDates, lockExceptions } from './kinds/periods.ts';
import { reconciliations } from './kinds/reconciliations.ts';
import { transfers } from './kinds/transfers.ts';

/** How the records of each model become events. */
export const KINDS: readonly RecordKind[] = [
  journalEntries,
  payments,
  reconciliations,
  bankStatements,
  statementLines,
  purchaseOrders,
  transfers,
  salesOrders,
  expenses,
  expenseSheets,
  lockDates,
  lockExceptions,
  bankAccounts,
  crons,
  queueJobs,
  ediDocuments,
];

const byModel: ReadonlyMap<string, RecordKind> = new Map(KINDS.map((kind) => [kind.model, kind]));

export const kindOfModel = (model: OdooModel | string): RecordKind | undefined => byModel.get(model);

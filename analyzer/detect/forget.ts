import { forgetControlRuns } from '../../store/postgres/control-runs.ts';
import { removeDecided } from '../../store/postgres/obligations.ts';
import type { Turn } from './turn.ts';

const DAY_MS = 86_400_000;
/** Decided obligations nobody complained of: their outcome is in ClickHouse, and their case tells it again when it is touched. */
const DECIDED_DAYS = 30;
const CONTROL_RUN_DAYS = 90;
const ROWS_A_STEP = 2_000;
/** What one pass forgets at most, so that it stays short; the next goes on. */
const STEPS = 10;
const EVERY_MS = 3_600_000;

/** Makes what forgets, about once an hour, what detection needs no more. Without it the database grows with the history. */
export function createForgetting() {
  let doneAt: number | undefined;
  return async (turn: Turn, at: Date): Promise<void> => {
    if (doneAt !== undefined && Math.abs(at.getTime() - doneAt) < EVERY_MS) return;
    const before = (days: number): Date => new Date(at.getTime() - days * DAY_MS);
    await turn.write((trx) => forgetControlRuns(trx, before(CONTROL_RUN_DAYS)));
    for (let step = 0; step < STEPS; step += 1) {
      const removed = await turn.write((trx) => removeDecided(trx, before(DECIDED_DAYS), ROWS_A_STEP));
      if (removed === ROWS_A_STEP) continue;
      doneAt = at.getTime();
      return;
    }
  };
}

import { ACTION_PARAMETERS, type ActionKind } from '../../model/action.ts';
import { errorCode } from '../../model/errors.ts';
import type { Policy } from '../../model/policy.ts';
import type { Counters } from '../../store/counters.ts';
import type { Logger } from '../../store/logger.ts';
import { endWaivers } from '../../store/postgres/action-effects.ts';
import {
  endProposal,
  expireProposals,
  findProposal,
  hasExecutorRole,
  noteRehearsal,
  type ProposalRow,
  proposalsToRehearse,
  proposalsToRun,
  type Rehearsal,
  startProposal,
} from '../../store/postgres/proposals.ts';
import { withSpan } from '../../store/tracing.ts';
import { type Effect, HANDLERS, type HandlerDeps, passes, type Task } from './handlers.ts';

export interface ExecutorDeps extends HandlerDeps {
  readonly policy: Policy;
  readonly logger: Logger;
  readonly counters?: Counters | undefined;
}

export interface Executor {
  /** Carries out what was decided and is ready; returns how many actions ended. Never throws for what the other side does. */
  run(clock: () => Date): Promise<number>;
}

const ACTIONS_A_RUN = 1_000;
const REHEARSALS_A_RUN = 20;
const MOST_ATTEMPTS = 5;
const AGAIN_MS = [10_000, 60_000, 300_000, 900_000];

/** The one that carries out approved actions: it decides nothing, and works with rights that let it decide nothing. */
export function createExecutor(deps: ExecutorDeps): Executor {
  const { postgres, policy, logger, counters } = deps;
  let isRoleKnown: boolean | undefined;

  /** Is there the role to work with? Looked for until it is there, and told once while it is not. */
  async function isReady(): Promise<boolean> {
    if (isRoleKnown) return true;
    const before = isRoleKnown;
    isRoleKnown = await hasExecutorRole(postgres);
    if (!isRoleKnown && before === undefined)
      logger.warn({}, 'the role closewatch_executor is missing: no action is carried out');
    return isRoleKnown;
  }

  async function carryOut(row: ProposalRow, at: Date): Promise<Effect> {
    const handler = handlerOf(row.action);
    const { id, company, incident, reason } = row;
    return await handler.run(row.parameters, { id, company, incident, reason, at, dryRun: false }, deps);
  }

  /** What the proposal would do: tried, and not done. Never throws for what the other side does. */
  async function rehearse(row: ProposalRow, at: Date): Promise<void> {
    const { id, action, company, hash, incident, reason } = row;
    const handler = handlerOf(action);
    const note = (found: Omit<Rehearsal, 'hash' | 'at'>): Promise<void> =>
      noteRehearsal(postgres, id, { ...found, hash, at: at.toISOString() });
    const parameters = ACTION_PARAMETERS[action].safeParse(row.parameters);
    if (!parameters.success) return await note({ outcome: 'failed', error: 'its parameters are not valid' });
    try {
      const missing = await handler.missing(parameters.data, deps);
      if (missing) return await note({ outcome: 'waits', error: missing });
      const task = { id, company, incident, reason, at, dryRun: true };
      const { outcome, before, after } = await handler.run(parameters.data, task, deps);
      await note({ outcome: outcome === 'done' ? 'would' : outcome, before, after });
    } catch (error) {
      const message = error instanceof Error ? error.message.slice(0, 500) : 'it failed';
      await note({ outcome: errorCode(error) ?? 'failed', error: message });
    }
  }

  async function end(row: ProposalRow, at: Date, error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message.slice(0, 500) : 'it failed';
    const outcome = errorCode(error) ?? 'failed';
    const wait = AGAIN_MS[row.attempts - 1];
    const isAgain = passes(error) && row.attempts < MOST_ATTEMPTS && wait !== undefined;
    const againAt = isAgain ? new Date(at.getTime() + wait) : undefined;
    await endProposal(postgres, row, { ok: false, outcome, error: message, againAt }, at);
    counters?.add('closewatch_actions', { action: row.action, outcome: isAgain ? 'again' : 'failed' });
    logger.warn({ proposal: row.id, action: row.action, outcome, isAgain }, 'an action failed');
  }

  async function runOne(id: string, at: Date): Promise<boolean> {
    const stored = await findProposal(postgres, id);
    if (!stored) return false;
    const handler = handlerOf(stored.row.action);
    const parameters = ACTION_PARAMETERS[stored.row.action].safeParse(stored.row.parameters);
    if (!parameters.success || (await handler.missing(parameters.data, deps))) return false;
    const started = await startProposal(postgres, id, { policy, at });
    if (!started || 'waits' in started) return false;
    const { row } = started;
    try {
      const { outcome, before, after } = await carryOut(row, at);
      await endProposal(postgres, row, { ok: true, outcome, before, after }, at);
      counters?.add('closewatch_actions', { action: row.action, outcome });
      logger.info({ proposal: row.id, action: row.action, outcome }, 'an action was carried out');
      return true;
    } catch (error) {
      await end(row, at, error);
      return true;
    }
  }

  return {
    async run(clock) {
      await endWaivers(postgres, clock());
      await expireProposals(postgres, clock());
      if (!(await isReady())) return 0;
      let ended = 0;
      for (const id of await proposalsToRun(postgres, { policy, at: clock(), limit: ACTIONS_A_RUN }))
        if (await withSpan('action', {}, () => runOne(id, clock()))) ended += 1;
      // After what was decided: an Odoo that answers slowly holds up no deed.
      for (const row of await proposalsToRehearse(postgres, { at: clock(), limit: REHEARSALS_A_RUN }))
        await rehearse(row, clock());
      return ended;
    },
  };
}

/** The handler of an action, of whatever kind: its parameters were checked against its own schema. */
const handlerOf = (kind: ActionKind) =>
  HANDLERS[kind] as unknown as {
    missing(parameters: unknown, deps: HandlerDeps): Promise<string | undefined>;
    run(parameters: unknown, task: Task, deps: HandlerDeps): Promise<Effect>;
  };

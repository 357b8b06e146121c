import { proposeActions } from '../analyzer/actions/propose.ts';
import { findContradictions } from '../analyzer/correlation/contradictions.ts';
import { createObjectives } from '../analyzer/detect/objectives/objectives.ts';
import { createDetector, type PassOptions, type PassResult } from '../analyzer/detect/pass.ts';
import { createIncidents } from '../analyzer/incidents/incidents.ts';
import { createReadinessHistory } from '../analyzer/readiness/readiness.ts';
import { runbooksOf } from '../analyzer/triage/runbook.ts';
import { createTriage } from '../analyzer/triage/triage.ts';
import { flowsWithoutModel } from '../model/flow.ts';
import { dateOf } from '../model/time.ts';
import { openLogs } from '../store/clickhouse/logs.ts';
import { deploymentsOf } from '../store/clickhouse/service-versions.ts';
import { openTraces } from '../store/clickhouse/traces.ts';
import type { Counters } from '../store/counters.ts';
import { shipChanges } from '../store/postgres/change-log.ts';
import { tidyHistory } from '../store/postgres/housekeeping.ts';
import { tidyIntake } from '../store/postgres/intake.ts';
import { listSources } from '../store/postgres/sources.ts';
import type { Catalogue } from './catalogue.ts';
import { secretOf } from './secrets.ts';
import type { Stores } from './stores.ts';

/** The stages of the analysis, each of which does what there is to do. Instants are epoch nanoseconds. */
export interface Analysis {
  /** Judges what is new and what fell due, groups what opened, and ships the history, readiness included, to ClickHouse. */
  detect(now: bigint, options?: PassOptions): Promise<DetectResult>;
  /** Writes the rules' assessments. */
  assess(now: bigint): Promise<unknown>;
  /** Proposes the actions that assessments name. */
  propose(now: bigint): Promise<unknown>;
  /** Has a model write its own, when there is one; takes as long as the model does. */
  ask(clock: () => bigint): Promise<unknown>;
}

export interface DetectResult {
  readonly pass: PassResult;
  readonly incidents: Awaited<ReturnType<ReturnType<typeof createIncidents>['run']>>;
}

/** Puts detection, grouping and triage together over the stores. */
export function createAnalysis(stores: Stores, catalogue: Catalogue): Analysis {
  const { config, postgres, clickhouse, events, logger, counters } = stores;
  const { flows, companies, company, ruleName } = catalogue;
  const spans = openTraces(clickhouse);
  const detector = createDetector({ postgres, events, flows, companies, logger });
  const objectives = createObjectives({ postgres, clickhouse, flows, logger });
  const incidents = createIncidents({
    postgres,
    spans,
    events,
    company,
    ruleName,
    groupWaitMs: config.groupWaitSeconds * 1000,
    acknowledgedMs: config.acknowledgedHours * 3_600_000,
    logger,
  });
  const readiness = createReadinessHistory({ postgres, clickhouse, companies, company });
  const triage = createTriage(
    {
      model: config.model,
      pseudonymKey: secretOf(config.dataDir, 'pseudonym-key').text,
      budget: {
        tokensPerDay: config.modelTokensPerDay,
        tokensPerCompany: config.modelTokensPerCompany,
        price: config.modelPrice,
        costPerDay: config.modelCostPerDay,
      },
      runbooks: runbooksOf(flows),
      privateFlows: flowsWithoutModel(flows, config.modelWithout),
    },
    {
      postgres,
      events,
      spans,
      logs: openLogs(clickhouse),
      deployments: (services, within) => deploymentsOf(clickhouse, services, within),
      sources: () => listSources(postgres),
      company,
      logger,
      counters,
    },
  );
  return {
    async detect(now, options) {
      const pass = await counted(detector.pass(now, options), counters);
      if (!pass.overtaken) {
        const { opened, closed } = await objectives.run(pass.asOf);
        if (opened > 0) counters.add('closewatch_exceptions_opened', { rule: 'objectives' }, opened);
        if (closed > 0) counters.add('closewatch_exceptions_closed', { rule: 'objectives' }, closed);
      }
      // As of the same instant: what a pass opened a moment ahead of this clock is not of the future.
      const result = { pass, incidents: await incidents.run(pass.asOf) };
      for (const [change, count] of Object.entries(result.incidents))
        counters.add('closewatch_incidents', { change }, count);
      await findContradictions({ postgres, clickhouse }, now).catch((error: unknown) =>
        logger.warn({ err: error }, 'contradictions could not be looked for; the next pass tries again'),
      );
      await readiness.run(now);
      await shipChanges(postgres, clickhouse);
      await tidyHistory(postgres, dateOf(now));
      await tidyIntake(postgres, dateOf(now));
      return result;
    },
    assess: (now) => triage.assess(now),
    propose: (now) =>
      proposeActions(
        {
          postgres,
          events,
          flows,
          company,
          policy: catalogue.policy,
          hasTickets: config.ticketUrl !== undefined,
        },
        now,
      ),
    ask: (clock) => triage.ask(clock),
  };
}

/** The pass, counted by its outcome, rules and states. */
async function counted(pass: Promise<PassResult>, counters: Counters): Promise<PassResult> {
  try {
    const result = await pass;
    counters.add('closewatch_detect_passes', { outcome: result.overtaken ? 'overtaken' : 'done' });
    counters.add('closewatch_detect_events', {}, result.events);
    const ruled = result.rules.reduce((sum, { closed }) => sum + closed, 0);
    if (result.closed > ruled)
      counters.add('closewatch_exceptions_closed', { rule: 'gone' }, result.closed - ruled);
    for (const { rule, opened, closed } of result.rules) {
      if (opened > 0) counters.add('closewatch_exceptions_opened', { rule }, opened);
      if (closed > 0) counters.add('closewatch_exceptions_closed', { rule }, closed);
    }
    for (const [state, count] of Object.entries(result.states))
      counters.add('closewatch_obligations', { state }, count);
    return result;
  } catch (error) {
    counters.add('closewatch_detect_passes', { outcome: 'failed' });
    throw error;
  }
}

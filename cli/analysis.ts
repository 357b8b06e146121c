import { createDetector } from '../analyzer/detect/pass.ts';
import { createIncidents } from '../analyzer/incidents/incidents.ts';
import { createTriage } from '../analyzer/triage/triage.ts';
import { openTraces } from '../store/clickhouse/traces.ts';
import { shipChanges } from '../store/postgres/change-log.ts';
import { listSources } from '../store/postgres/sources.ts';
import type { Catalogue } from './catalogue.ts';
import { secretOf } from './secrets.ts';
import type { Stores } from './stores.ts';

/** The stages of the analysis, each of which does what there is to do at an instant (epoch nanoseconds). */
export interface Analysis {
  /** Judges what is new and what fell due, groups what opened, and ships the history to ClickHouse. */
  detect(now: bigint): Promise<DetectResult>;
  /** Writes assessments. */
  triage(now: bigint): Promise<unknown>;
}

export interface DetectResult {
  readonly pass: Awaited<ReturnType<ReturnType<typeof createDetector>['pass']>>;
  readonly incidents: Awaited<ReturnType<ReturnType<typeof createIncidents>['run']>>;
}

/** Puts detection, grouping and triage together over the stores. */
export function createAnalysis(stores: Stores, catalogue: Catalogue): Analysis {
  const { config, postgres, clickhouse, events, logger } = stores;
  const { flows, companies, company, ruleName } = catalogue;
  const spans = openTraces(clickhouse);
  const detector = createDetector({ postgres, events, flows, companies, logger });
  const incidents = createIncidents({
    postgres,
    spans,
    events,
    company,
    ruleName,
    groupWaitMs: config.groupWaitSeconds * 1000,
    logger,
  });
  const triage = createTriage(
    { model: config.model, pseudonymKey: secretOf(config.dataDir, 'pseudonym-key').text },
    { postgres, events, spans, sources: () => listSources(postgres), logger },
  );
  return {
    async detect(now) {
      const result = { pass: await detector.pass(now), incidents: await incidents.run(now) };
      await shipChanges(postgres, clickhouse);
      return result;
    },
    triage: (now) => triage.run(now),
  };
}

import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { EvidenceItem, FallbackReason, ModelAnswer, Verdict } from '../../model/assessment.ts';
import { canonicalHash } from '../../model/canonical-json.ts';
import { type Company, defaultCompany } from '../../model/company.ts';
import type { Deployment } from '../../model/deployment.ts';
import { eventRefKey } from '../../model/event.ts';
import { dateOf, formatInstant, nanosOf } from '../../model/time.ts';
import type { SourceStream } from '../../model/watermark.ts';
import type { Counters } from '../../store/counters.ts';
import type { Logger } from '../../store/logger.ts';
import {
  type AssessmentRow,
  addAssessment,
  assessmentsAwaitingModel,
  incidentsToAssess,
  incidentsToLookAtAgain,
  latestAssessment,
  markAssessed,
  markLookedAgain,
  readIncidentEvidence,
  settleAssessment,
} from '../../store/postgres/assessments.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { eventRefsOf } from '../../store/postgres/exceptions.ts';
import { findIncident, type IncidentRow } from '../../store/postgres/incidents.ts';
import { keepAnswer, keptAnswer, reserveUsage, settleUsage } from '../../store/postgres/model-usage.ts';
import { withSpan } from '../../store/tracing.ts';
import type { EventReader, SpanReader } from '../incidents/linked.ts';
import { askedAgainAt } from './asking-again.ts';
import { estimatedTokens, limitsOf, type ModelBudget, NOTHING, usageOf } from './budget.ts';
import { buildPackage, type EvidencePackage, forModel, type LinkedLog } from './evidence.ts';
import { createModel, type ModelConfig, type ModelReply } from './model.ts';
import { evidenceMessage, loadPrompt } from './prompt.ts';
import { pseudonyms } from './pseudonym.ts';
import { assessByRules } from './rules.ts';
import type { Runbook } from './runbook.ts';
import { tripwire } from './tripwire.ts';
import { readAnswer, validateAnswer } from './validate.ts';

export interface TriageConfig {
  /** Without it the rules alone write the assessments. */
  readonly model?: ModelConfig | undefined;
  /** What the model may use in a day; left out, without limit. */
  readonly budget?: ModelBudget | undefined;
  /** Flows about which no model is asked. */
  readonly privateFlows?: ReadonlySet<string> | undefined;
  /** What to do about what a rule finds, by rule. */
  readonly runbooks?: ReadonlyMap<string, Runbook> | undefined;
  /** Secret of the deployment under which parties, people and documents get their pseudonyms; else one of this process. */
  readonly pseudonymKey?: string | undefined;
}

/** Reads the log records of traces; the log store of ClickHouse is one. */
interface LogReader {
  logsOfTraces(
    traceIds: readonly string[],
    options: { readonly limit: number },
  ): Promise<readonly LinkedLog[]>;
}

export interface TriageDeps {
  readonly postgres: Postgres;
  readonly events?: EventReader | undefined;
  readonly spans?: SpanReader | undefined;
  /** Reads the log records of traces. */
  readonly logs?: LogReader | undefined;
  /** Versions of services that were new in a span of time. */
  readonly deployments?:
    | ((services: readonly string[], within: { from: bigint; to: bigint }) => Promise<readonly Deployment[]>)
    | undefined;
  readonly sources?: (() => Promise<readonly SourceStream[]>) | undefined;
  /** The company of a key; left out, one with every default. */
  readonly company?: ((key: string) => Company) | undefined;
  readonly logger: Logger;
  readonly counters?: Counters | undefined;
}

interface TriageResult {
  /** Assessments written by the rules. */
  readonly assessed: number;
  /** Assessments that a model wrote and the validator let stand. */
  readonly byModel: number;
  /** How often the rules' assessment stood, by reason. */
  readonly fallbacks: Partial<Record<FallbackReason, number>>;
}

export interface Triage {
  /** `assess`, then `ask`, as of one instant. */
  run(now: bigint): Promise<TriageResult>;
  /**
   * Writes the rules' assessment of every incident in which something material changed; asks no model. An open incident is
   * looked at once more ten minutes after it opened: spans come later than the events they belong to. One that cannot be
   * assessed holds up no other: the first such error is thrown after all had their turn.
   */
  assess(now: bigint): Promise<number>;
  /**
   * Asks the model for the assessments that wait for it; incidents, exceptions and severities are the same with and
   * without. Takes as long as the model does, so the clock (epoch nanoseconds) is read again for each answer. Never throws
   * for what a model does or does not do.
   */
  ask(clock: () => bigint): Promise<Omit<TriageResult, 'assessed'>>;
}

type ReplyOf = Awaited<ReturnType<ReturnType<typeof createModel>['ask']>>;
const keptReply = z.object({ json: z.unknown(), outputHash: z.string(), model: z.string() });
const INCIDENTS_A_PAGE = 100;
const EXCEPTIONS = 12;
const EVENTS = 40;
const TRACES = 20;
const LOGS_A_TRACE = 100;
const SERVICES = 20;
/** Two days before the incident opened. */
const DEPLOYED_WITHIN = 172_800_000_000_000n;
const ASKED_A_RUN = 20;
const LOOK_AGAIN_AFTER = 600_000_000_000n;

/** Assesses incidents: the rules always, a model when there is one. */
export function createTriage(config: TriageConfig, deps: TriageDeps): Triage {
  const { postgres, logger, counters, company: companyOf = defaultCompany } = deps;
  const pseudonym = pseudonyms(config.pseudonymKey ?? randomBytes(32));
  const model = config.model && createModel(config.model);
  const prompt = loadPrompt();

  async function packageOf(incident: IncidentRow, now: bigint): Promise<EvidencePackage> {
    const known = await readIncidentEvidence(postgres, incident, EXCEPTIONS);
    const refs = new Map(known.exceptions.flatMap(eventRefsOf).map((ref) => [eventRefKey(ref), ref]));
    const eventRefs = [...refs.values()].slice(0, EVENTS);
    const traceIds = [...new Set(known.exceptions.flatMap(({ trace_ids }) => trace_ids))].slice(0, TRACES);
    const [events, spans, logs, sources] = await Promise.all([
      eventRefs.length > 0 ? deps.events?.byRefs(eventRefs) : [],
      traceIds.length > 0 ? deps.spans?.spansOfTraces(traceIds) : [],
      traceIds.length > 0 ? deps.logs?.logsOfTraces(traceIds, { limit: LOGS_A_TRACE }) : [],
      deps.sources?.(),
    ]);
    const services = [...new Set((spans ?? []).map(({ service }) => service))].slice(0, SERVICES);
    const opened = nanosOf(incident.opened_at);
    const within = { from: opened - DEPLOYED_WITHIN, to: opened };
    const deployments = services.length > 0 ? await deps.deployments?.(services, within) : [];
    const own = (events ?? []).filter(({ company }) => company === incident.company);
    return buildPackage(
      {
        ...known,
        company: companyOf(incident.company),
        events: own,
        spans: spans ?? [],
        logs: logs ?? [],
        deployments,
        runbooks: config.runbooks,
        sources: sources ?? [],
        now,
      },
      pseudonym,
    );
  }

  async function assessOne(incident: IncidentRow, now: bigint): Promise<boolean> {
    const evidence = await packageOf(incident, now);
    const last = await latestAssessment(postgres, incident.id);
    if (last?.material_hash === evidence.materialHash) {
      await markAssessed(postgres, incident);
      return false;
    }
    const answer = assessByRules({
      items: evidence.items,
      severity: incident.severity,
      title: incident.title,
    });
    await addAssessment(
      postgres,
      {
        ...answer,
        incident: incident.id,
        author: 'rules',
        evidence: [...evidence.items],
        evidenceHash: evidence.hash,
        materialHash: evidence.materialHash,
        fallbackReason: model && incident.state !== 'resolved' ? 'pending' : undefined,
        verdicts: [],
      },
      { now, seen: incident.version },
    );
    counters?.add('closewatch_assessments', { author: 'rules' });
    return true;
  }

  /** Asks for one assessment that waits. Returns why the rules' stands, or undefined when the model's replaced it. */
  async function askOne(waiting: AssessmentRow, clock: () => bigint): Promise<FallbackReason | undefined> {
    const settle = async (
      reason: FallbackReason,
      verdicts: readonly Verdict[] = [],
    ): Promise<FallbackReason> => {
      const againAt = askedAgainAt(reason, waiting.asked, clock());
      await settleAssessment(postgres, waiting.id, { reason, verdicts, againAt });
      counters?.add('closewatch_model_fallbacks', { reason });
      countVerdicts(verdicts);
      logger.info({ incident: waiting.incident, reason }, "the rules' assessment stands");
      return reason;
    };
    const incident = await findIncident(postgres, waiting.incident);
    if (!model || !incident || incident.state === 'resolved') return await settle('superseded');
    const items = waiting.evidence as EvidenceItem[];
    const user = evidenceMessage(items);
    const tripped = tripwire(`${prompt.text}\n${user}`);
    if (tripped.length > 0) {
      for (const found of tripped) counters?.add('closewatch_tripwire_hits', { found });
      const found = tripped.map((reason): Verdict => ({ part: 'prompt', outcome: 'dropped', reason }));
      return await settle('tripwire', found);
    }
    if (isPrivate(items, incident.company)) return await settle('switched-off');
    const reply = await answerTo({ user, items, company: incident.company }, clock);
    if (reply === 'budget') return await settle('budget');
    if (reply.ok) {
      counters?.add('closewatch_model_tokens', { kind: 'input' }, reply.tokensIn ?? 0);
      counters?.add('closewatch_model_tokens', { kind: 'output' }, reply.tokensOut ?? 0);
    }
    if (!reply.ok) return await settle(reply.reason);
    const loose = readAnswer(reply.json);
    if (!loose) return await settle('wrong-schema');
    const { answer, verdicts } = validateAnswer(loose, items, answerOf(waiting));
    if (!answer) return await settle('unsupported', verdicts);
    const stored = await storeReply(waiting, { reply, answer, verdicts, items }, clock());
    if (!stored) return await settle('superseded', verdicts);
    counters?.add('closewatch_assessments', { author: 'model' });
    countVerdicts(verdicts);
    return undefined;
  }

  /** Has the company, or a flow of the exceptions, the model switched off? */
  const isPrivate = (items: readonly EvidenceItem[], company: string): boolean =>
    !companyOf(company).model ||
    items.some(({ facts }) => typeof facts.flow === 'string' && config.privateFlows?.has(facts.flow));

  /** The answer to a question: one that was kept, or the model's, within the budgets. */
  async function answerTo(
    asked: { user: string; items: readonly EvidenceItem[]; company: string },
    clock: () => bigint,
  ): Promise<ReplyOf | 'budget'> {
    if (!model) return { ok: false, reason: 'superseded' };
    const { user, items, company } = asked;
    const key = canonicalHash({
      evidence: forModel(items),
      prompt: prompt.hash,
      schema: model.schemaHash,
      model: model.name,
    });
    const kept = keptReply.safeParse(await keptAnswer(postgres, key)).data;
    if (kept) return { ok: true, ...kept, tokensIn: 0, tokensOut: 0 };
    const day = formatInstant(clock()).slice(0, 10);
    const asksFor = estimatedTokens(prompt.text.length + user.length);
    const most = usageOf(config.budget, asksFor, prompt.settings.maxTokens);
    const limits = limitsOf(config.budget);
    if (!(await reserveUsage(postgres, { day, company, usage: most, limits }))) return 'budget';
    const reply = await model.ask({ system: prompt.text, user, settings: prompt.settings });
    const used = reply.ok ? usageOf(config.budget, reply.tokensIn ?? 0, reply.tokensOut ?? 0) : NOTHING;
    // A server that does not say what it used is taken to have used what it might have.
    const isTold = !reply.ok || reply.tokensIn !== undefined;
    if (isTold) {
      const more = { tokens: used.tokens - most.tokens, cost: used.cost - most.cost };
      await settleUsage(postgres, { day, company, more });
    }
    if (reply.ok) {
      const { json, outputHash, model: name } = reply;
      await keepAnswer(postgres, key, { json, outputHash, model: name }, dateOf(clock()));
    }
    return reply;
  }

  /** What the validator did not keep: `claims[3]` counts as `claims`. */
  function countVerdicts(verdicts: readonly Verdict[]): void {
    for (const { part, outcome } of verdicts)
      if (outcome !== 'kept')
        counters?.add('closewatch_verdicts', { outcome, part: part.replace(/\[\d+\]$/, '') });
  }

  /** Stores the model's answer, unless another assessment came while it was asked: then false. */
  async function storeReply(
    waiting: AssessmentRow,
    outcome: {
      reply: ModelReply;
      answer: ModelAnswer;
      verdicts: readonly Verdict[];
      items: EvidenceItem[];
    },
    now: bigint,
  ): Promise<boolean> {
    const { reply, answer, verdicts, items } = outcome;
    const version = await addAssessment(
      postgres,
      {
        ...answer,
        incident: waiting.incident,
        author: 'model',
        evidence: items,
        evidenceHash: waiting.evidence_hash,
        materialHash: waiting.material_hash,
        promptId: prompt.id,
        promptHash: prompt.hash,
        schemaHash: model?.schemaHash,
        model: reply.model,
        inputHash: canonicalHash({ prompt: prompt.hash, evidence: forModel(items), model: model?.name }),
        outputHash: reply.outputHash,
        tokensIn: reply.tokensIn,
        tokensOut: reply.tokensOut,
        verdicts: [...verdicts],
      },
      { now, after: waiting.id },
    );
    return version !== undefined;
  }

  async function assess(now: bigint): Promise<number> {
    let assessed = 0;
    const failures: unknown[] = [];
    /** Assesses each of them and returns the ids of those with which that went well. */
    const assessEach = async (incidents: readonly IncidentRow[]): Promise<string[]> => {
      const seen: string[] = [];
      for (const incident of incidents) {
        try {
          if (await assessOne(incident, now)) assessed += 1;
          seen.push(incident.id);
        } catch (error) {
          logger.error({ err: error, incident: incident.id }, 'an incident could not be assessed');
          counters?.add('closewatch_assessments_failed', {});
          failures.push(error);
        }
      }
      return seen;
    };
    for (;;) {
      const incidents = await incidentsToAssess(postgres, INCIDENTS_A_PAGE);
      const seen = await assessEach(incidents);
      if (incidents.length < INCIDENTS_A_PAGE || seen.length === 0) break;
    }
    const again = await incidentsToLookAtAgain(postgres, now - LOOK_AGAIN_AFTER, INCIDENTS_A_PAGE);
    if (again.length > 0) await markLookedAgain(postgres, await assessEach(again));
    if (failures.length > 0) throw failures[0];
    return assessed;
  }

  async function ask(clock: () => bigint): Promise<Omit<TriageResult, 'assessed'>> {
    const waiting = await assessmentsAwaitingModel(postgres, clock(), ASKED_A_RUN);
    const outcomes = await Promise.all(waiting.map((assessment) => askOne(assessment, clock)));
    const fallbacks: Partial<Record<FallbackReason, number>> = {};
    for (const reason of outcomes) if (reason) fallbacks[reason] = (fallbacks[reason] ?? 0) + 1;
    return { byModel: outcomes.filter((reason) => reason === undefined).length, fallbacks };
  }

  const triage: Triage = {
    assess: (now) => withSpan('triage.assess', {}, () => assess(now)),
    ask: (clock) => withSpan('triage.ask', {}, () => ask(clock)),
    async run(now) {
      const assessed = await triage.assess(now);
      return { assessed, ...(await triage.ask(() => now)) };
    },
  };
  return triage;
}

const answerOf = (row: AssessmentRow): ModelAnswer => ({
  category: row.category as ModelAnswer['category'],
  severity: row.severity,
  summary: row.summary,
  probableCause: row.probable_cause,
  nextStep: row.next_step,
  confidence: row.confidence,
  claims: row.claims as ModelAnswer['claims'],
  proposedActions: row.proposed_actions as ModelAnswer['proposedActions'],
});

import type { Category, ModelAnswer } from '../../model/assessment.ts';
import { canonicalHash } from '../../model/canonical-json.ts';
import { defaultCompany } from '../../model/company.ts';
import type { FinanceEvent } from '../../model/event.ts';
import type { TriageCase } from '../../model/triage-case.ts';
import type { IncidentEvidence } from '../../store/postgres/assessments.ts';
import type { LinkedSpan } from '../incidents/signature.ts';
import { buildPackage, type EvidencePackage } from './evidence.ts';
import { pseudonyms } from './pseudonym.ts';
import { assessByRules } from './rules.ts';
import { validateAnswer } from './validate.ts';

/** A wording that one case is in; of a class the three figures, and how many cases are of it. */
export interface ClassFigures {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly support: number;
}

export interface TriageFigures {
  readonly cases: number;
  /** The mean of the F1 of the classes that have cases. */
  readonly macroF1: number;
  readonly accuracy: number;
  /** The share of the cases whose category is right and whose claims cite where the fault shows: a failing span, when there is one. */
  readonly causes: number;
  /** Of the cases that name actions: the share whose first proposed action a person would agree to. */
  readonly actions: number;
  /** Of the claims: the share that cite evidence of the package, with every number in them. */
  readonly grounding: number;
  readonly classes: Readonly<Partial<Record<Category, ClassFigures>>>;
  readonly wrong: readonly { readonly id: string; readonly expected: Category; readonly said: Category }[];
}

const AT = 1_777_888_800_000_000_000n;
const key = Buffer.alloc(32, 7);

/** The evidence package of a case, made as live ones are. */
export function packageOfCase(given: TriageCase): EvidencePackage {
  if (given.evidence) {
    const hash = canonicalHash(given.evidence);
    return { items: given.evidence, hash, materialHash: hash };
  }
  const at = new Date(Number(AT / 1_000_000n));
  const { incident } = given;
  const evidence = {
    incident: {
      id: given.id,
      number: '1',
      company: 'acme',
      cause_kind: incident.cause,
      cause_key: given.exceptions[0]?.source ?? '',
      title: incident.title,
      severity: incident.severity,
      state: 'open',
      opened_at: at,
      sums: [],
      exceptions: given.exceptions.length,
      open_exceptions: given.exceptions.length,
      recurrence_of: null,
    },
    exceptions: given.exceptions.map((one, index) => ({
      id: `x${index}`,
      rule: one.rule,
      rule_version: 1,
      flow: 'evaluation',
      kind: one.kind,
      state: one.state,
      severity: incident.severity,
      close_impact: 'none',
      source: one.source,
      subject: one.subject,
      amount: one.amount ?? null,
      currency: one.currency ?? null,
      opened_at: at,
      anchor_ns: `${AT - 7_200_000_000_000n}`,
      due_ns: `${AT - 3_600_000_000_000n}`,
      answered_ns: null,
      reopened: 0,
    })),
    rules: given.exceptions.map(({ rule, kind, state }) => ({ rule, kind, state, count: 1 })),
  } as unknown as IncidentEvidence;
  return buildPackage(
    {
      ...evidence,
      company: defaultCompany('acme'),
      events: given.events.map(eventOf),
      spans: given.errors.flatMap(spansOf),
      sources: [],
      now: AT,
    },
    pseudonyms(key),
  );
}

const eventOf = (one: TriageCase['events'][number], index: number): FinanceEvent => ({
  id: `e${index}`,
  source: one.source,
  type: one.type,
  version: 1,
  time: '2026-05-04T09:00:00Z',
  receivedAt: '2026-05-04T09:00:01Z',
  batch: '1',
  sequence: '0',
  company: 'acme',
  subject: one.subject,
  ingestPath: 'push',
  ...(one.party ? { partyKey: one.party } : {}),
  keys: [],
  attributes: one.attributes,
  data: '{}',
});

function spansOf(error: TriageCase['errors'][number], index: number): LinkedSpan[] {
  const attributes: Record<string, string> = {};
  if (error.http !== undefined) attributes['http.response.status_code'] = `${error.http}`;
  if (error.grpc !== undefined) attributes['rpc.grpc.status_code'] = `${error.grpc}`;
  const thrown = { 'exception.type': error.type ?? '', 'exception.message': error.message };
  return Array.from({ length: error.count }, (_, at) => ({
    traceId: `t${index}-${at}`,
    spanId: `s${index}-${at}`,
    parentSpanId: '',
    name: error.operation,
    service: error.service,
    startNs: `${AT - 60_000_000_000n}`,
    statusCode: 'Error',
    statusMessage: error.type ? '' : error.message,
    attributes,
    events: error.type ? [{ name: 'exception', attributes: thrown }] : [],
  }));
}

/** What the rules say of a case. */
export const assessCase = (given: TriageCase, evidence = packageOfCase(given)): ModelAnswer =>
  assessByRules({ items: evidence.items, severity: given.incident.severity, title: given.incident.title });

/** An answer to a case, and the evidence that it was given. */
export interface Answered {
  readonly given: TriageCase;
  readonly evidence: EvidencePackage;
  readonly answer: ModelAnswer;
}

/** Scores answers against what people say of the cases. */
export function scoreTriage(all: readonly Answered[]): TriageFigures {
  const pairs = all.map(({ given, answer }) => ({
    id: given.id,
    expected: given.expected.category,
    said: answer.category,
  }));
  const classes: Partial<Record<Category, ClassFigures>> = {};
  for (const category of new Set(pairs.map(({ expected }) => expected))) {
    const support = pairs.filter(({ expected }) => expected === category).length;
    const said = pairs.filter((one) => one.said === category).length;
    const right = pairs.filter((one) => one.said === category && one.expected === category).length;
    const [precision, recall] = [said === 0 ? 0 : right / said, right / support];
    const f1 = precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
    classes[category] = { precision, recall, f1, support };
  }
  const figures = Object.values(classes);
  const withActions = all.filter(({ given }) => given.expected.actions.length > 0);
  const agreed = withActions.filter(({ given, answer }) =>
    given.expected.actions.some((kind) => kind === answer.proposedActions[0]?.kind),
  );
  const claims = all.flatMap(({ answer, evidence }) =>
    answer.claims.map((claim) => ({ claim, evidence, answer })),
  );
  const grounded = claims.filter(
    ({ claim, evidence, answer }) =>
      validateAnswer({ ...answer, claims: [claim] }, evidence.items, answer).answer !== undefined,
  );
  return {
    cases: all.length,
    macroF1: figures.reduce((sum, { f1 }) => sum + f1, 0) / Math.max(1, figures.length),
    accuracy: share(pairs.filter(({ expected, said }) => expected === said).length, pairs.length),
    causes: share(all.filter(showsCause).length, all.length),
    actions: share(agreed.length, withActions.length),
    grounding: share(grounded.length, claims.length),
    classes,
    wrong: pairs.filter(({ expected, said }) => expected !== said),
  };
}

/** Is the category right, for the right reason? */
function showsCause({ given, evidence, answer }: Answered): boolean {
  const shown = evidence.items.filter(({ kind }) => kind === 'span');
  const where = new Set((shown.length > 0 ? shown : evidence.items).map(({ number }) => number));
  const isCited = answer.claims.some(({ evidence: cited }) => cited.some((number) => where.has(number)));
  return answer.category === given.expected.category && isCited;
}

const share = (part: number, whole: number): number => (whole === 0 ? 1 : part / whole);

import type { EvidenceItem } from '../../model/assessment.ts';
import { canonicalHash } from '../../model/canonical-json.ts';
import type { Company } from '../../model/company.ts';
import type { Deployment } from '../../model/deployment.ts';
import type { FinanceEvent } from '../../model/event.ts';
import type { LogRecord } from '../../model/log.ts';
import { formatInstant, nanosOf } from '../../model/time.ts';
import { isFresh, type SourceStream, watermarkAt } from '../../model/watermark.ts';
import type { IncidentEvidence } from '../../store/postgres/assessments.ts';
import { errorSignature, failingLeaves, type LinkedSpan, normaliseText } from '../incidents/signature.ts';
import { technicalWords } from './lexicon.ts';
import type { Pseudonym } from './pseudonym.ts';
import type { Runbook } from './runbook.ts';
import { plainWords, technicalName } from './text.ts';

/** Everything that a package is made of, as read at one instant. */
export interface PackageInput extends IncidentEvidence {
  /** The incident's company: its calendar tells how long a source may be silent. */
  readonly company: Company;
  readonly events: readonly FinanceEvent[];
  readonly spans: readonly LinkedSpan[];
  /** Log records of the same traces. */
  readonly logs?: readonly LinkedLog[] | undefined;
  /** Versions of the services of the spans that were new in the two days before, the last first. */
  readonly deployments?: readonly Deployment[] | undefined;
  /** By rule. */
  readonly runbooks?: ReadonlyMap<string, Runbook> | undefined;
  readonly sources: readonly SourceStream[];
  readonly now: bigint;
}

/** What the evidence takes of a log record. */
export type LinkedLog = Pick<LogRecord, 'traceId' | 'timeNs' | 'severityNumber' | 'service' | 'body'>;

/** Frozen evidence: numbered items, the hash of all of it, and of what is material in it. */
export interface EvidencePackage {
  readonly items: readonly EvidenceItem[];
  readonly hash: string;
  readonly materialHash: string;
}

type Item = Omit<EvidenceItem, 'number'>;
type Facts = EvidenceItem['facts'];

const LIMITS = { exception: 12, event: 12, span: 8, log: 4, deployment: 4, source: 8, runbook: 3 } as const;
/** Characters of canonical JSON that a package may have. */
export const PACKAGE_BUDGET = 16_000;

/**
 * The evidence package of an incident: a typed, allow-listed projection. Parties, people and documents are pseudonyms,
 * error messages are reduced to technical words, everything is capped; free text of documents never gets in. `ref` and
 * `label` serve people and are taken out before anything goes to a model.
 */
export function buildPackage(input: PackageInput, pseudonym: Pseudonym): EvidencePackage {
  const items = fitted([
    incidentItem(input),
    ...pastItems(input),
    ...spanItems(input),
    ...logItems(input),
    ...deploymentItems(input),
    ...sourceItems(input),
    ...runbookItems(input),
    ...exceptionItems(input, pseudonym),
    ...eventItems(input, pseudonym),
  ]).map((item, at): EvidenceItem => ({ number: at + 1, ...item }));
  return { items, hash: canonicalHash(items), materialHash: canonicalHash(material(input, items)) };
}

/** What a model gets of the items. */
export const forModel = (items: readonly EvidenceItem[]): object[] =>
  items.map(({ number, kind, at, facts }) => ({ number, kind, ...(at && { at }), facts }));

/** Drops items from the end until the rest fits the budget; the incident, spans and sources come first. */
function fitted(items: readonly Item[]): Item[] {
  const kept: Item[] = [];
  let size = 2;
  for (const item of items) {
    size += JSON.stringify(item).length + 16;
    if (size > PACKAGE_BUDGET) break;
    kept.push(item);
  }
  return kept;
}

/** The facts that have a value. */
const some = (facts: Record<string, string | number | boolean | null | undefined>): Facts =>
  Object.fromEntries(
    Object.entries(facts).filter(([, value]) => value !== undefined && value !== null && value !== ''),
  ) as Facts;

function incidentItem({ incident, rules }: PackageInput): Item {
  const money = Object.fromEntries(
    incident.sums.slice(0, 5).map(({ currency, amount }) => [`amount${currency}`, amount]),
  );
  return {
    kind: 'history',
    at: formatInstant(nanosOf(incident.opened_at)),
    facts: some({
      incident: `INC-${incident.number}`,
      cause: incident.cause_kind,
      severity: incident.severity,
      exceptions: incident.exceptions,
      openExceptions: incident.open_exceptions,
      rules: [...new Set(rules.map(({ rule }) => rule))].sort().slice(0, 10).join(' '),
      ...money,
      recurrence: incident.recurrence_of !== null,
    }),
    ref: incident.id,
  };
}

/** What there was before: incidents of the same cause that are over, and changes of the configuration. */
function pastItems({ past = [], changes = [] }: PackageInput): Item[] {
  return [
    ...past.map(
      ({ number, openedAt, resolvedAt, category, isCorrected }): Item => ({
        kind: 'history',
        at: formatInstant(nanosOf(resolvedAt)),
        facts: some({
          pastIncident: `INC-${number}`,
          category,
          correctedByPerson: isCorrected || undefined,
          hoursOpen: Math.round((resolvedAt.getTime() - openedAt.getTime()) / 3_600_000),
        }),
      }),
    ),
    ...changes.map(
      ({ what, change, at }): Item => ({
        kind: 'history',
        at: formatInstant(nanosOf(at)),
        facts: some({ changed: technicalName(what), parts: technicalName(change) }),
      }),
    ),
  ];
}

/** A version as builds are numbered: anything else in its place is somebody's text. */
const VERSION = /^[\w.+-]{1,40}$/;

/** What was deployed before: a version that was seen for the first time. */
const deploymentItems = ({ deployments = [] }: PackageInput): Item[] =>
  deployments
    .filter(({ version, previous }) => VERSION.test(version) && VERSION.test(previous))
    .slice(0, LIMITS.deployment)
    .map(({ service, version, previous, at }) => ({
      kind: 'history',
      at: formatInstant(at),
      facts: { deployed: technicalName(service), version, previousVersion: previous },
      label: technicalName(`${service} ${version}`, 120),
    }));

const RUNBOOK_CHARACTERS = 500;

/** What the runbooks of the rules say, those with the most exceptions first. */
function runbookItems({ rules, runbooks }: PackageInput): Item[] {
  const counts = new Map<string, number>();
  for (const { rule, count } of rules) counts.set(rule, (counts.get(rule) ?? 0) + count);
  return [...counts]
    .sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1))
    .flatMap(([rule]) => {
      const runbook = runbooks?.get(rule);
      if (!runbook) return [];
      const text = runbook.text && plainWords(runbook.text, RUNBOOK_CHARACTERS);
      const item: Item = { kind: 'runbook', facts: some({ rule, text }), ref: runbook.address, label: rule };
      return [item];
    })
    .slice(0, LIMITS.runbook);
}

function exceptionItems({ exceptions }: PackageInput, pseudonym: Pseudonym): Item[] {
  return exceptions.slice(0, LIMITS.exception).map((row) => ({
    kind: 'exception',
    at: formatInstant(nanosOf(row.opened_at)),
    facts: some({
      rule: row.rule,
      ruleVersion: row.rule_version,
      kind: row.kind,
      flow: row.flow,
      state: row.state,
      severity: row.severity,
      closeImpact: row.close_impact,
      source: technicalName(row.source),
      document: pseudonym('document', row.subject),
      amount: row.amount,
      currency: row.currency,
      anchorAt: formatInstant(BigInt(row.anchor_ns)),
      dueAt: formatInstant(BigInt(row.due_ns)),
      answeredAt: row.answered_ns === null ? undefined : formatInstant(BigInt(row.answered_ns)),
      reopened: row.reopened || undefined,
    }),
    ref: row.id,
    label: technicalName(row.subject, 120),
  }));
}

function eventItems({ events }: PackageInput, pseudonym: Pseudonym): Item[] {
  return events.slice(0, LIMITS.event).map((event) => ({
    kind: 'event',
    at: event.time,
    facts: some({
      type: technicalName(event.type),
      source: technicalName(event.source),
      path: event.ingestPath,
      document: pseudonym('document', event.subject),
      amount: event.amount,
      currency: event.currency,
      party: event.partyKey && pseudonym('party', event.partyKey),
      actor: event.actorId && pseudonym('actor', event.actorId),
      actorKind: event.actorKind && technicalName(event.actorKind, 16),
    }),
    ref: event.id,
    label: technicalName(event.docNumber ?? event.subject, 120),
  }));
}

/** Values that name parties, people and documents: not even a span's name may repeat them. */
function namedValues({ events, exceptions }: PackageInput): string[] {
  const values = events.flatMap((event) => [
    event.partyKey,
    event.actorId,
    event.docNumber,
    event.subject,
    ...event.keys.map(({ value }) => value),
    ...Object.values(event.attributes),
  ]);
  return [...values, ...exceptions.map(({ subject }) => subject)].flatMap((value) =>
    value && value.length >= 4 ? value.toLowerCase() : [],
  );
}

function spanItems(input: PackageInput): Item[] {
  const names = namedValues(input);
  const without = (text: string): string =>
    names.reduce((rest, name) => rest.replaceAll(name, '<name>'), text.toLowerCase());
  const bySignature = Map.groupBy(failingLeaves(input.spans), (span) => errorSignature(span).key);
  return [...bySignature.values()]
    .sort((a, b) => b.length - a.length)
    .slice(0, LIMITS.span)
    .flatMap((spans) => {
      const span = spans.toSorted((a, b) => (a.startNs < b.startNs ? -1 : 1))[0];
      if (!span) return [];
      const thrown = span.events.find(({ name }) => name === 'exception')?.attributes;
      const words = technicalWords(`${span.statusMessage} ${thrown?.['exception.message'] ?? ''}`);
      return {
        kind: 'span' as const,
        at: formatInstant(BigInt(span.startNs)),
        facts: some({
          service: technicalName(span.service),
          operation: technicalName(fewWords(without(normaliseText(span.name))), 80),
          httpStatus: statusOf(span.attributes),
          grpcStatus: numberIn(span.attributes['rpc.grpc.status_code']),
          errorType: technicalWords(thrown?.['exception.type'] ?? span.attributes['error.type'] ?? ''),
          error: words,
          occurrences: spans.length,
        }),
        ref: span.traceId,
        label: technicalName(`${span.service} ${span.name}`, 120),
      };
    });
}

/** An operation's name has a verb and a path, or a few words: a sentence in it is nobody's name. */
const NAME_WORDS = 4;
const fewWords = (text: string): string => text.split(/\s+/).slice(0, NAME_WORDS).join(' ');

/** OpenTelemetry's number of the severity from which on a log record tells of an error. */
const ERROR_SEVERITY = 17;

/** Errors that the logs tell, those that are alike once, the most frequent first: as technical words, like those of spans. */
function logItems({ logs = [] }: PackageInput): Item[] {
  const errors = logs.filter(({ severityNumber }) => severityNumber >= ERROR_SEVERITY);
  const alike = Map.groupBy(errors, ({ service, body }) => `${service}\n${technicalWords(body)}`);
  return [...alike.values()]
    .sort((a, b) => b.length - a.length)
    .slice(0, LIMITS.log)
    .flatMap((records) => {
      const first = records.toSorted((a, b) => (a.timeNs < b.timeNs ? -1 : 1))[0];
      const words = first && technicalWords(first.body);
      if (!first || !words) return [];
      return {
        kind: 'span' as const,
        at: formatInstant(BigInt(first.timeNs)),
        facts: some({
          service: technicalName(first.service),
          operation: 'log record',
          error: words,
          occurrences: records.length,
        }),
        ref: first.traceId,
        label: technicalName(`${first.service} log`, 120),
      };
    });
}

const numberIn = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : undefined;
const statusOf = (attributes: Readonly<Record<string, string>>): number | undefined =>
  numberIn(attributes['http.response.status_code'] ?? attributes['http.status_code']);

function sourceItems({ sources, exceptions, incident, company: calendar, now }: PackageInput): Item[] {
  const own = new Set(exceptions.map(({ source }) => source));
  return sources
    .filter(
      ({ company, source }) =>
        company === incident.company && (own.has(source) || isStaleCause(incident, source)),
    )
    .slice(0, LIMITS.source)
    .map((stream) => {
      const mark = watermarkAt(stream, now, calendar);
      return {
        kind: 'source' as const,
        ...(mark !== undefined && { at: formatInstant(mark) }),
        facts: some({
          source: technicalName(stream.source),
          stream: technicalName(stream.stream),
          kind: stream.kind,
          fresh: isFresh(stream, now, calendar),
        }),
        ref: stream.source,
      };
    });
}

const isStaleCause = (incident: PackageInput['incident'], source: string): boolean =>
  incident.cause_kind === 'stale-source' && incident.cause_key === source;

/** 0, 1, 2 … as the count has no, one, two … digits: the steps at which a count matters. */
const magnitude = (count: number): number => (count <= 0 ? 0 : String(count).length);

/** What a new assessment is worth for: not a count more or a minute later. */
function material({ incident, rules }: PackageInput, items: readonly EvidenceItem[]): object {
  return {
    cause: [incident.cause_kind, incident.cause_key],
    severity: incident.severity,
    resolved: incident.state === 'resolved',
    recurrence: incident.recurrence_of !== null,
    size: magnitude(incident.exceptions),
    rules: [
      ...new Set(rules.map(({ rule, state }) => `${rule} ${state === 'indeterminate' ? state : ''}`)),
    ].sort(),
    spans: items
      .filter(({ kind }) => kind === 'span')
      .map(({ facts }) => canonicalHash({ ...facts, occurrences: 0 }))
      .sort(),
    sources: items
      .filter(({ kind }) => kind === 'source')
      .map(({ facts }) => canonicalHash(facts))
      .sort(),
  };
}

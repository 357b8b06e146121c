import type { BusinessClock } from '../../model/business-time.ts';
import type { Company } from '../../model/company.ts';
import { typeMatcher } from '../../model/event-pattern.ts';
import { answerTypesOf, type Expectation, expectedTypesOf } from '../../model/expectation.ts';
import { type SourceStream, watermarkAt } from '../../model/watermark.ts';
import { ruleOfCompany } from './company-rules.ts';

/** Up to where absence can be judged, and the streams that decide it. */
export interface Completeness {
  /** Epoch nanoseconds, at most the instant asked for; undefined: no source is known. */
  readonly watermark: bigint | undefined;
  /** Is one of them only assumed to be complete, because it still sends? */
  readonly assumed: boolean;
  /** The streams that the rule depends on here; empty: none is known. */
  readonly streams: readonly SourceStream[];
}

export interface CompletenessQuestion {
  /** The instant at which states hold, epoch nanoseconds. */
  readonly at: bigint;
  /** The clock now, for sources that are assumed to be complete while they live. */
  readonly now: bigint;
  /** The working time of a company, for sources that may be silent for a business day. */
  readonly companyOf: (company: string) => BusinessClock;
}

const OF_COMPANY = new WeakMap<readonly SourceStream[], Map<string, readonly SourceStream[]>>();

/** The streams that send for the company: its own, and those of all companies. Every rule asks about each of them. */
function streamsOf(streams: readonly SourceStream[], company: string): readonly SourceStream[] {
  const known = OF_COMPANY.get(streams) ?? new Map<string, readonly SourceStream[]>();
  OF_COMPANY.set(streams, known);
  let own = known.get(company);
  if (!own) {
    own = streams.filter((stream) => ['', '*', company].includes(stream.company));
    known.set(company, own);
  }
  return own;
}

/**
 * The streams that a rule depends on for obligations started by `source` in `company`: those of the sources in
 * `dependsOn` (none when one of them is unknown), else every stream seen to send an expected type for the company. When
 * nobody ever sent one, an imported source answers for itself: its log is closed, so that what it does not hold did
 * not happen.
 */
function dependedOn(
  rule: Expectation,
  streams: readonly SourceStream[],
  company: string,
  source: string,
): readonly SourceStream[] {
  const mine = streamsOf(streams, company);
  if (rule.dependsOn) {
    const named = mine.filter((stream) => rule.dependsOn?.includes(stream.source));
    if (!rule.dependsOn.every((name) => named.some((stream) => stream.source === name))) return [];
    return speakersOf(named, mine);
  }
  const expected = typeMatcher(expectedTypesOf(rule));
  const senders = mine.filter((stream) => stream.types.some(expected));
  if (senders.length > 0) return speakersOf(senders, mine);
  const own = mine.filter((stream) => stream.source === source);
  return own.length > 0 && own.every((stream) => stream.kind === 'imported') ? own : [];
}

/**
 * Who says how complete the streams are. What arrives from a source makes its stream assumed complete only as long as the
 * source itself says nothing: once it declares, by heartbeats of whatever streams, those that name no types of their own
 * speak for it, all of them.
 */
function speakersOf(streams: readonly SourceStream[], all: readonly SourceStream[]): readonly SourceStream[] {
  const speakers = streams.flatMap((stream) => {
    if (stream.kind !== 'assumed') return [stream];
    const declared = all.filter(
      ({ source, kind, types }) => source === stream.source && kind === 'declared' && types.length === 0,
    );
    return declared.length > 0 ? declared : [stream];
  });
  return [...new Set(speakers)];
}

/** The watermark of one stream at the instant: never later than it. */
export function effectiveWatermark(
  stream: SourceStream,
  company: string,
  { at, now, companyOf }: CompletenessQuestion,
): bigint | undefined {
  if (stream.completeWithoutLimit) return at;
  const mark = watermarkAt(stream, now, companyOf(company));
  return mark !== undefined && mark > at ? at : mark;
}

/** How complete the rule's sources are at the instant, for obligations started by `source` in `company`: the least of them. */
export function completenessOf(
  rule: Expectation,
  streams: readonly SourceStream[],
  place: { company: string; source: string },
  question: CompletenessQuestion,
): Completeness {
  const depended = dependedOn(rule, streams, place.company, place.source);
  let watermark: bigint | undefined = depended.length === 0 ? undefined : question.at;
  for (const stream of depended) {
    const mark = effectiveWatermark(stream, place.company, question);
    if (mark === undefined || watermark === undefined) watermark = undefined;
    else if (mark < watermark) watermark = mark;
  }
  return { watermark, assumed: depended.some(({ kind }) => kind === 'assumed'), streams: depended };
}

/** `completenessOf` for one rule, remembered by company and source. */
export function createCompleteness(
  rule: Expectation,
  streams: readonly SourceStream[],
  question: CompletenessQuestion,
): (company: string, source: string) => Completeness {
  const known = new Map<string, Completeness>();
  return (company, source) => {
    const place = `${company}\n${source}`;
    let answer = known.get(place);
    if (!answer) {
      answer = completenessOf(rule, streams, { company, source }, question);
      known.set(place, answer);
    }
    return answer;
  };
}

/**
 * Does the rule apply to the company? One that waits to be told does only where some source is known to send what it
 * expects.
 */
export function isApplicable(rule: Expectation, streams: readonly SourceStream[], company: string): boolean {
  if (!rule.enabled) return false;
  if (rule.applies === 'always') return true;
  const answers = typeMatcher(answerTypes(rule));
  return streamsOf(streams, company).some((stream) => stream.types.some(answers));
}

/** `isApplicable` of rules as they hold for a company, remembered. One that reaches across companies applies wherever it does in one. */
export function createApplies(
  streams: readonly SourceStream[],
  companyOf: (key: string) => Company,
): (rule: { readonly expectation: Expectation }, company: string) => boolean {
  const known = new Map<Expectation, Map<string, boolean>>();
  return ({ expectation }, company) => {
    if (expectation.across) return true;
    const answers = known.get(expectation) ?? new Map<string, boolean>();
    known.set(expectation, answers);
    let answer = answers.get(company);
    if (answer === undefined) {
      answer = isApplicable(ruleOfCompany(expectation, companyOf(company)), streams, company);
      answers.set(company, answer);
    }
    return answer;
  };
}

const ANSWERS = new WeakMap<Expectation, readonly string[]>();
const answerTypes = (rule: Expectation): readonly string[] => {
  const types = ANSWERS.get(rule) ?? answerTypesOf(rule);
  ANSWERS.set(rule, types);
  return types;
};

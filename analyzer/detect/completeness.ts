import { type Expectation, expectedTypesOf, typeMatcher } from '../../model/flow.ts';
import { type SourceStream, watermarkAt } from '../../model/watermark.ts';

/** Up to where absence can be judged, and the streams that decide it. */
export interface Completeness {
  /** Epoch nanoseconds, at most the instant asked for; undefined: no source is known. */
  readonly watermark: bigint | undefined;
  /** The streams that the rule depends on here; empty: none is known. */
  readonly streams: readonly SourceStream[];
}

export interface CompletenessQuestion {
  /** The instant at which states hold, epoch nanoseconds. */
  readonly at: bigint;
  /** The clock now, for sources that are assumed to be complete while they live. */
  readonly now: bigint;
}

const ofCompany = (stream: SourceStream, company: string): boolean =>
  stream.company === company || stream.company === '' || stream.company === '*';

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
  const mine = streams.filter((stream) => ofCompany(stream, company));
  if (rule.dependsOn) {
    const named = mine.filter((stream) => rule.dependsOn?.includes(stream.source));
    return rule.dependsOn.every((name) => named.some((stream) => stream.source === name)) ? named : [];
  }
  const expected = typeMatcher(expectedTypesOf(rule));
  const senders = mine.filter((stream) => stream.types.some(expected));
  if (senders.length > 0) return senders;
  const own = mine.filter((stream) => stream.source === source);
  return own.length > 0 && own.every((stream) => stream.kind === 'imported') ? own : [];
}

/** The watermark of one stream at the instant: never later than it. */
export function effectiveWatermark(
  stream: SourceStream,
  { at, now }: CompletenessQuestion,
): bigint | undefined {
  if (stream.completeWithoutLimit) return at;
  const mark = watermarkAt(stream, now);
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
    const mark = effectiveWatermark(stream, question);
    if (mark === undefined || watermark === undefined) watermark = undefined;
    else if (mark < watermark) watermark = mark;
  }
  return { watermark, streams: depended };
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

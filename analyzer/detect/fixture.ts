import { defaultCompany } from '../../model/company.ts';
import { type Expectation, expectation } from '../../model/expectation.ts';
import { parseInstant } from '../../model/time.ts';
import { type CaseEvent, inEventOrder } from './case-event.ts';
import type { EvaluationContext } from './evaluator.ts';

/** Epoch nanoseconds of `2 10:30` (day and time of May 2026, UTC; a bare day is its midnight) or of an RFC 3339 instant. */
export function instantOf(text: string): bigint {
  const [, day, time = '00:00'] = /^(\d{1,2})(?: (.+))?$/.exec(text) ?? [];
  const written = day ? `2026-05-${day.padStart(2, '0')}T${time}Z` : text;
  const nanos = parseInstant(written);
  if (nanos === undefined) throw new RangeError(`${text} is no instant`);
  return nanos;
}

/** Events written as `A@1 10:00` (type `x.a`), in this order; the number of each is its id and sequence. For tests. */
export const eventsOf = (written: readonly string[], given: Partial<CaseEvent> = {}): CaseEvent[] =>
  written
    .map((text, index): CaseEvent => {
      const [type = '', at = ''] = text.split('@');
      return {
        id: `${index}`,
        source: 'erp',
        company: 'acme',
        subject: 'case-1',
        type: type.includes('.') ? type : `x.${type.toLowerCase()}`,
        at: instantOf(at),
        sequence: BigInt(index),
        history: false,
        keys: [],
        attributes: {},
        data: {},
        ...given,
      };
    })
    .sort(inEventOrder);

export const ruleOf = (written: { readonly kind: string; readonly [field: string]: unknown }): Expectation =>
  expectation.parse({ id: 'R-1', ...(written.kind === 'no-duplicate' ? {} : { within: '1d' }), ...written });

/** A judgement at `at`, with everything declared complete unless `watermark` says otherwise (null: nothing is known). */
export const contextAt = (at: string, watermark?: string | null, assumed = false): EvaluationContext => ({
  flow: 'flow',
  at: instantOf(at),
  company: defaultCompany('acme'),
  live: false,
  complete: () => ({
    watermark:
      watermark === null ? undefined : watermark === undefined ? instantOf(at) : instantOf(watermark),
    assumed,
  }),
});

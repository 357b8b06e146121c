import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CaseEvent } from '../analyzer/detect/case-event.ts';
import { casesOf } from '../analyzer/detect/cases.ts';
import { evaluate } from '../analyzer/detect/evaluators.ts';
import { loadFlows } from '../analyzer/detect/flow-files.ts';
import { obligationSeverity } from '../analyzer/detect/severity.ts';
import { company } from '../model/company.ts';
import type { EventPattern } from '../model/event-pattern.ts';
import type { Expectation, RuleOf } from '../model/expectation.ts';
import type { Obligation } from '../model/obligation.ts';
import { parseInstant } from '../model/time.ts';

/** Every rule that waits for something, tried as its own file says it: in time, late, never, voided, not to be told yet, twice, out of order. */

const FLOWS = await loadFlows(join(import.meta.dirname, '../flows'));
const RULES = FLOWS.flatMap(({ expectations }) => expectations);
const ACME = company.parse({
  key: 'acme',
  timezone: 'Europe/Brussels',
  calendar: { holidays: ['2026-05-14'] },
  materiality: { overall: '10000', performance: '5000', trivial: '100' },
});
const SECOND = 1_000_000_000n;
const at = (text: string): bigint => parseInstant(text) as bigint;
const START = at('2026-05-05T08:00:00Z');

type Waiting = RuleOf<'response'> | RuleOf<'state-age'> | RuleOf<'expiry'>;
const isWaiting = (rule: Expectation): rule is Waiting =>
  rule.kind === 'response' || rule.kind === 'state-age' || rule.kind === 'expiry';
const starting = (rule: Waiting): EventPattern => (rule.kind === 'state-age' ? rule.enter : rule.when);
/** What answers, and starts nothing itself. */
function answering(rule: Waiting): EventPattern {
  const pattern = rule.kind === 'state-age' ? rule.leave : rule.expect;
  const types = pattern.types.filter((type) => !starting(rule).types.includes(type));
  return types.length > 0 ? { ...pattern, types } : pattern;
}

/** A value that meets a condition. */
function meeting(condition: unknown): string | undefined {
  if (typeof condition === 'string') return condition.replaceAll('*', 'x');
  if (Array.isArray(condition)) return meeting(condition[0]);
  const { not, exists, above, atLeast } = condition as Record<string, string | boolean | undefined>;
  if (exists === false) return undefined;
  if (above !== undefined) return String(Number(above) + 1);
  if (atLeast !== undefined) return String(atLeast);
  return not !== undefined ? 'other' : 'x';
}

let made = 0;
/** An event that matches the pattern, of the rule's one case. */
function eventOf(
  rule: Expectation,
  pattern: EventPattern,
  when: bigint,
  given: Partial<CaseEvent> = {},
): CaseEvent {
  made += 1;
  const attributes: Record<string, string> = {
    quantity: '1',
    expires: '2026-08-31',
    cutoff: '2026-05-05T15:00:00Z',
    until: '2026-05-06',
  };
  const keys = rule.by
    .filter((type) => type !== 'subject')
    .map((type) => ({ type, value: 'K-1', strength: 'exact' as const }));
  const values: Record<string, string> = {};
  for (const [field, condition] of Object.entries(pattern.where ?? {})) {
    const value = meeting(condition);
    const [kind, ...rest] = field.split('.');
    if (kind === 'attribute') {
      if (value === undefined) delete attributes[rest.join('.')];
      else attributes[rest.join('.')] = value;
    } else if (kind === 'key')
      keys.push({ type: rest[0] as string, value: value ?? 'K-1', strength: 'exact' });
    else if (value !== undefined) values[field] = value;
  }
  return {
    id: `e${made}`,
    company: 'acme',
    source: values.source ?? 'erp',
    subject: 'doc-1',
    type: (pattern.types[0] ?? '').replaceAll('*', 'x'),
    at: when,
    receivedAt: when,
    sequence: BigInt(made),
    history: false,
    amount: values.amount ?? '700',
    currency: 'EUR',
    period: '2026-05',
    partyKey: 'S1',
    keys,
    attributes,
    data: { dates: { dueDate: '2026-06-12', accountingDate: '2026-05-20' }, control: {} },
    ...given,
  };
}

function judged(
  rule: Expectation,
  events: readonly CaseEvent[],
  when: bigint,
  watermark = when,
): Obligation[] {
  return casesOf(
    rule,
    events.filter((event) => event.at <= when),
  ).flatMap((some) =>
    evaluate(rule, some, {
      flow: 'flow',
      at: when,
      company: ACME,
      live: true,
      complete: () => ({ watermark, assumed: false }),
    }),
  );
}

const states = (
  rule: Expectation,
  events: readonly CaseEvent[],
  when: bigint,
  watermark?: bigint,
): string[] => judged(rule, events, when, watermark).map(({ state }) => state);

describe.each(RULES.filter(isWaiting).map((rule) => [rule.id, rule] as const))('%s', (_, rule) => {
  const start = eventOf(rule, starting(rule), START);
  const [waiting] = judged(rule, [start], START);
  const due = waiting?.dueAt as bigint;
  const answer = (when: bigint): CaseEvent =>
    eventOf(rule, answering(rule), when, {
      subject: rule.by.includes('subject') || rule.kind === 'state-age' ? 'doc-1' : 'doc-2',
      ...(rule.by.every((type) => type === 'subject') ? { subject: 'doc-1', source: start.source } : {}),
    });
  const later = due + 40n * 86_400n * SECOND;

  test('starts, and is due after it', () => {
    expect(waiting).toBeDefined();
    expect(due).toBeGreaterThanOrEqual(START);
  });

  test('is satisfied by an answer at the deadline, and late a second after it', () => {
    expect(states(rule, [start, answer(due)], later)[0]).toBe('satisfied');
    expect(states(rule, [start, answer(due + SECOND)], later)[0]).toBe('late');
  });

  test('waits until the deadline, and is open at it', () => {
    if (due > START) expect(states(rule, [start], due - 1n)).toEqual(['pending']);
    expect(states(rule, [start], due)).toEqual(['open']);
  });

  test('is not to be told while the source is behind, and then satisfied or open', () => {
    expect(states(rule, [start], later, due - 1n)).toEqual(['indeterminate']);
    expect(states(rule, [start], later, due)).toEqual(['open']);
    expect(states(rule, [start, answer(due)], later, due - 1n)[0]).toBe('satisfied');
  });

  test('says the same whatever the order, and of an event that is there twice', () => {
    const events = [start, answer(due + SECOND)];
    const once = judged(rule, events, later).map(({ id, state }) => [id, state]);
    expect(judged(rule, events.toReversed(), later).map(({ id, state }) => [id, state])).toEqual(once);
    const replayed = answer(due + 2n * SECOND);
    expect(judged(rule, [...events, replayed], later).map(({ id, state }) => [id, state])[0]).toEqual(
      once[0],
    );
  });

  test.runIf('unless' in rule && rule.unless)('is voided', () => {
    const unless = (rule as RuleOf<'response'>).unless as EventPattern;
    const out = eventOf(rule, unless, START + SECOND, { source: start.source });
    expect(states(rule, [start, out], later)[0]).toBe('voided');
  });
});

describe.each(RULES.filter((rule) => rule.kind === 'precedence').map((rule) => [rule.id, rule] as const))(
  '%s',
  (_, rule) => {
    const before = rule.require.after ? [eventOf(rule, rule.require.after, START - 100n * SECOND)] : [];
    const scoped = rule.scope?.with ? [eventOf(rule, rule.scope.with, START - 200n * SECOND)] : [];
    const start = eventOf(rule, rule.when, START);
    const events = [...scoped, ...before, start];

    test('asks for what comes before, also when it comes later, and is voided', () => {
      const required = (when: bigint): CaseEvent => eventOf(rule, rule.require, when);
      expect(states(rule, [...events, required(START - SECOND)], START + SECOND)).toEqual(['satisfied']);
      expect(states(rule, events, START + SECOND)).toEqual(['open']);
      expect(states(rule, [...events, required(START + SECOND)], START + 2n * SECOND)).toEqual(['open']);
      expect(states(rule, events, START + SECOND, START - SECOND)).toEqual(['indeterminate']);
      if (rule.unless)
        expect(
          states(rule, [...events, eventOf(rule, rule.unless, START + SECOND)], START + 2n * SECOND),
        ).toEqual(['voided']);
    });
  },
);

test.each(RULES.map((rule) => [rule.id, rule] as const))('%s is as severe as its band says', (_, rule) => {
  const severityOf = (amount: string): string =>
    obligationSeverity(
      { ...rule, closeImpact: 'none' },
      {
        anchorAt: START,
        dueAt: START + 10n * SECOND,
        amount,
        currency: 'EUR',
        period: '2026-01',
      } as Obligation,
      ACME,
      START + 11n * SECOND,
    );
  const [low, middle, high] = rule.severity;
  expect(['99.99', '100', '4999.99', '5000', '9999.99', '10000'].map(severityOf)).toEqual([
    low,
    middle,
    middle,
    high,
    high,
    'critical',
  ]);
});

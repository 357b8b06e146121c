import { fieldOf } from '../../../model/event-field.ts';
import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import { absoluteAmount, differenceOf, isDecimal, sumAmounts } from '../../../model/money.ts';
import type { Obligation, ObligationState } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import type { CaseEvent } from '../case-event.ts';
import { compareWithin } from '../compare.ts';
import { dueOf, periodOfEvent } from '../deadline.ts';
import { type Evaluator, obligationOf, unansweredState } from '../evaluator.ts';
import { groupName } from '../groups.ts';
import { starter } from '../scope.ts';
import { assumedText, incompleteText } from '../sentences.ts';

type Rule = RuleOf<'balance'>;
type Measured = Pick<Rule['when'], 'types' | 'where' | 'pick' | 'value'>;

/** The balance after each event that moves it: the last value, or the sum so far. */
function runningOf(side: Measured, events: readonly CaseEvent[]): { event: CaseEvent; value: string }[] {
  const matches = eventMatcher(side);
  let sum = '0';
  return events.flatMap((event) => {
    if (!matches(event)) return [];
    const value = fieldOf(event, side.value);
    if (!isDecimal(value)) return [];
    sum = side.pick === 'sum' ? sumAmounts([sum, value]) : value;
    return [{ event, value: sum }];
  });
}

/**
 * Judges that a balance is what it must be. With `until: WDn` once a period, by the balance at its deadline; otherwise each
 * time that it moves away from what it must be it is due to be back within the allowed time.
 */
export const balance: Evaluator<Rule> = (rule, events, context) => {
  const mayStart = starter(rule, events, context);
  const mine = runningOf(rule.when, events);
  const other = typeof rule.equals === 'string' ? undefined : runningOf(rule.equals, events);
  const targetAt = (at: bigint): string | undefined =>
    typeof rule.equals === 'string' ? rule.equals : other?.findLast(({ event }) => event.at <= at)?.value;
  const isRight = (value: string, target: string | undefined): boolean =>
    target !== undefined && compareWithin(value, target, rule.tolerance) === 0;
  return typeof rule.until === 'string' ? periods() : stays();

  function periods(): Obligation[] {
    const byPeriod = Map.groupBy(mine, ({ event }) => periodOfEvent(event, context.company));
    return [...byPeriod].flatMap(([period, moves]) => {
      const last = moves.at(-1);
      if (!last || !mayStart(last.event)) return [];
      const dueAt = dueOf(rule, last.event, context.company);
      if (dueAt === undefined) return [];
      const until = dueAt < context.at ? dueAt : context.at;
      const then = rule.when.pick === 'sum' ? mine.findLast(({ event }) => event.at <= until) : last;
      const value = then?.value ?? last.value;
      return [outcome(last.event, period, dueAt, value, targetAt(until))];
    });
  }

  function stays(): Obligation[] {
    const found: Obligation[] = [];
    let away: { event: CaseEvent; value: string } | undefined;
    for (const { event, value } of mine) {
      const fine = isRight(value, targetAt(event.at));
      if (away && fine) {
        const dueAt = dueOf(rule, away.event, context.company);
        if (dueAt !== undefined) found.push(back(away, event, dueAt));
        away = undefined;
      } else if (!away && !fine && mayStart(event)) away = { event, value };
    }
    const last = mine.at(-1);
    const dueAt = away && dueOf(rule, away.event, context.company);
    if (away && last && dueAt !== undefined)
      found.push(outcome(away.event, away.event.id, dueAt, last.value, targetAt(context.at)));
    return found;
  }

  function back(
    { event, value }: { event: CaseEvent; value: string },
    by: CaseEvent,
    dueAt: bigint,
  ): Obligation {
    const state: ObligationState = by.at <= dueAt ? 'satisfied' : 'late';
    const why = () =>
      `${name(event)} was ${value} since ${formatInstant(event.at)} and right again at ${formatInstant(by.at)}`;
    return obligationOf(
      rule,
      { ...base(event, event.id, dueAt), state, answeredAt: by.at, events: [event, by], why },
      context,
      events,
    );
  }

  function outcome(
    event: CaseEvent,
    occurrence: string,
    dueAt: bigint,
    value: string,
    target: string | undefined,
  ): Obligation {
    const complete = context.complete(event.source);
    const fine = isRight(value, target);
    const state: ObligationState =
      fine && context.at >= dueAt ? 'satisfied' : unansweredState(dueAt, context.at, complete.watermark);
    const must = target === undefined ? 'there is nothing to hold it against' : `must be ${target}`;
    const why = (): string =>
      state === 'indeterminate'
        ? `${name(event)} is ${value}: ${incompleteText(rule.when.types, dueAt, complete)}`
        : `${name(event)} is ${value}${fine ? '' : ` and ${must}`} by ${formatInstant(dueAt)}${state === 'open' ? assumedText(complete) : ''}`;
    const amount = fine ? undefined : absoluteAmount(differenceOf(value, target ?? '0'));
    return obligationOf(
      rule,
      {
        ...base(event, occurrence, dueAt),
        state,
        events: [event],
        why,
        watermark: complete.watermark,
        amount,
      },
      context,
      events,
    );
  }

  function base(event: CaseEvent, occurrence: string, dueAt: bigint) {
    const about = rule.group ? groupName(rule, event) : undefined;
    return { anchor: event, about, occurrence, dueAt };
  }

  function name(event: CaseEvent): string {
    return `the balance of ${rule.group ? groupName(rule, event) : event.subject}`;
  }
};

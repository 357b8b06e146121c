import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EXCEPTION_STATES, isOpenException } from '../../model/exception.ts';
import { sumByCurrency } from '../../model/money.ts';
import { SEVERITIES } from '../../model/severity.ts';
import { count, emptyTally, type Facts, incidentSeverity, parseFacts, readTally, sumsOf } from './tally.ts';

const bill = (amount: string, over: Partial<Facts> = {}): Facts => ({
  state: 'open',
  severity: 'low',
  amount,
  currency: 'EUR',
  ...over,
});
const company = {
  currency: 'EUR',
  materiality: { overall: '100000', performance: '60000', trivial: '5000' },
};
const tallyOf = (...facts: Facts[]) =>
  facts.reduce((tally, one) => count(tally, undefined, one), emptyTally());

test('facts are read from their column', () => {
  expect(parseFacts('late|high|120.50|EUR|1')).toEqual({
    state: 'late',
    severity: 'high',
    amount: '120.50',
    currency: 'EUR',
  });
  expect(parseFacts('open|low|||0')).toEqual({ state: 'open', severity: 'low' });
  expect(() => parseFacts('gone|low|||0')).toThrow();
});

test('counting by differences gives the same as counting what is there', () => {
  const facts = fc.record({
    state: fc.constantFrom(...EXCEPTION_STATES),
    severity: fc.constantFrom(...SEVERITIES),
    amount: fc.option(
      fc.integer({ min: -5_000, max: 5_000 }).map((cents) => (cents / 100).toFixed(2)),
      {
        nil: undefined,
      },
    ),
    currency: fc.constantFrom('EUR', 'USD'),
  });
  fc.assert(
    fc.property(fc.array(fc.array(facts, { minLength: 1, maxLength: 4 }), { maxLength: 8 }), (histories) => {
      let tally = emptyTally();
      for (const history of histories) {
        history.forEach((now, at) => {
          tally = count(readTally(JSON.parse(JSON.stringify(tally))), history[at - 1], now);
        });
      }
      const last = histories.map((history) => history.at(-1)!);
      expect(tally.count).toBe(last.length);
      expect(tally.open).toBe(last.filter(({ state }) => isOpenException(state)).length);
      for (const level of SEVERITIES)
        expect(tally.severities[level] ?? 0).toBe(last.filter(({ severity }) => severity === level).length);
      const expected = new Map(sumByCurrency(last).map(({ currency, amount }) => [currency, Number(amount)]));
      for (const { currency, amount } of sumsOf(tally))
        expect(Number(amount)).toBe(expected.get(currency) ?? 0);
    }),
    { numRuns: 200 },
  );
});

test('an incident is as severe as its gravest exception', () => {
  expect(incidentSeverity(tallyOf(bill('10'), bill('10', { severity: 'high' })), company)).toBe('high');
  expect(incidentSeverity(emptyTally(), company)).toBe('info');
});

test('many small sums weigh as the band of their sum', () => {
  const forty = tallyOf(...Array.from({ length: 40 }, () => bill('300')));
  expect(incidentSeverity(forty, company)).toBe('medium');
  const many = tallyOf(...Array.from({ length: 300 }, () => bill('300')));
  expect(incidentSeverity(many, company)).toBe('high');
  const overall = tallyOf(...Array.from({ length: 400 }, () => bill('300')));
  expect(incidentSeverity(overall, company)).toBe('critical');
});

test('credit notes do not make a sum small', () => {
  const both = tallyOf(bill('50000'), bill('-50000'));
  expect(sumsOf(both)).toEqual([{ currency: 'EUR', amount: '0', open: '0' }]);
  expect(incidentSeverity(both, company)).toBe('critical');
});

test('without materiality, or in another currency, nothing is raised', () => {
  const forty = tallyOf(...Array.from({ length: 400 }, () => bill('300')));
  expect(incidentSeverity(forty, { currency: 'EUR', materiality: undefined })).toBe('low');
  expect(incidentSeverity(forty, { ...company, currency: 'USD' })).toBe('low');
});

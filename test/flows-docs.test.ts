import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { backtest } from '../analyzer/backtest/backtest.ts';
import { companiesFile } from '../model/company.ts';
import type { FinanceEvent } from '../model/event.ts';
import { expectation, type Flow, flow, matchesTypes } from '../model/flow.ts';
import { parseInstant } from '../model/time.ts';
import { parseYaml } from '../store/yaml.ts';

const text = readFileSync(join(import.meta.dirname, '../docs/flows.md'), 'utf8');
const blocks = [...text.matchAll(/^```(\w+)([^\n]*)\n(.*?)^```/gms)].map(([, kind, rest, body = '']) => ({
  kind: `${kind}${rest ?? ''}`.trim(),
  body,
}));

const readFlow = (body: string): Flow => {
  const { value, problems } = parseYaml('docs', body, flow);
  expect(problems).toEqual([]);
  return value as Flow;
};

/** `time subject type key=value …`, one event a line, as a file of an imported source holds them. */
const readEvents = (body: string): FinanceEvent[] =>
  body
    .trim()
    .split('\n')
    .map((line, index): FinanceEvent => {
      const [time = '', subject = '', type = '', ...rest] = line.split(' ');
      const given = Object.fromEntries(rest.map((pair) => pair.split('=') as [string, string]));
      const { amount, currency, ...keys } = given;
      return {
        id: `${index}`,
        source: 'log',
        type,
        version: 1,
        time,
        receivedAt: time,
        batch: '1',
        sequence: `${index}`,
        company: 'acme',
        subject,
        ingestPath: 'file',
        amount,
        currency,
        keys: Object.entries(keys).map(([key, value]) => ({ type: key, value })),
        attributes: {},
        data: '{}',
      };
    });

/** What backtest prints of the events under the flow, counts that are 0 left out. */
async function judged(rules: Flow, events: FinanceEvent[], asOf: string): Promise<object> {
  const at = parseInstant(asOf) as bigint;
  const closed = {
    source: 'log',
    company: 'acme',
    stream: '',
    kind: 'imported' as const,
    completeWithoutLimit: true,
    latenessNanos: 0n,
    silenceNanos: 0n,
    types: [],
  };
  const result = await backtest(
    { flows: [rules], companies: [], asOf: at },
    {
      sources: [closed],
      now: at,
      events: {
        async *scan({ types }) {
          const bySubject = [...events].sort((a, b) => (a.subject < b.subject ? -1 : 1));
          for (const event of bySubject)
            if ((parseInstant(event.time) as bigint) <= at && matchesTypes(types, event.type)) yield event;
        },
      },
    },
  );
  return Object.fromEntries(
    result.rules.map(({ id, anchors, counts }) => [
      id,
      { anchors, ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)) },
    ]),
  );
}

const examples = blocks.flatMap(({ kind, body }, index) => {
  if (kind !== 'result') return [];
  const before = (wanted: string) =>
    blocks.slice(0, index).findLast((block) => block.kind === wanted)?.body ?? '';
  const { asOf, ...expected } = JSON.parse(body);
  return [
    {
      name: Object.keys(expected).join(', '),
      rules: before('yaml'),
      events: before('events'),
      asOf,
      expected,
    },
  ];
});

test('there are examples of each kind', () => {
  const kinds = examples.flatMap(({ rules }) => readFlow(rules).expectations.map(({ kind }) => kind));
  expect(new Set(kinds)).toEqual(new Set(['response', 'state-age', 'no-duplicate']));
});

test.each(examples)(
  'the example $name comes out as docs/flows.md says',
  async ({ rules, events, asOf, expected }) => {
    expect(await judged(readFlow(rules), readEvents(events), asOf)).toEqual(expected);
  },
);

test.each(blocks.filter(({ kind }) => kind === 'yaml'))(
  'each flow in docs/flows.md can be used',
  ({ body }) => {
    expect(readFlow(body).expectations.length).toBeGreaterThan(0);
  },
);

test('so can the companies', () => {
  const body = blocks.find(({ kind }) => kind === 'yaml companies')?.body ?? '';
  expect(parseYaml('docs', body, companiesFile)).toMatchObject({
    problems: [],
    value: { companies: [{ currency: 'EUR' }] },
  });
});

test('the patterns match what the table says', () => {
  const rows = [...text.matchAll(/^\| (`[^|]+`) \| (`[^|]+`) \| (`[^|]+`) \|$/gm)];
  const words = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word as string);
  expect(rows).toHaveLength(4);
  for (const [, pattern, matches, others] of rows) {
    for (const type of words(matches))
      expect([type, matchesTypes(words(pattern), type)]).toEqual([type, true]);
    for (const type of words(others))
      expect([type, matchesTypes(words(pattern), type)]).toEqual([type, false]);
  }
});

test('every field of a rule is in the reference', () => {
  for (const kind of expectation.options)
    for (const field of Object.keys(kind.shape)) expect(text).toContain(`\`${field}`);
  for (const field of Object.keys(flow.shape))
    if (field !== '$schema') expect(text).toContain(`\`${field}\``);
});

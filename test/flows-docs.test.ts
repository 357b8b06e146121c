import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { backtest } from '../analyzer/backtest/backtest.ts';
import { loadFlows } from '../analyzer/detect/flow-files.ts';
import { ruleTable } from '../analyzer/detect/rule-table.ts';
import { companiesFile } from '../model/company.ts';
import type { FinanceEvent } from '../model/event.ts';
import { matchesTypes } from '../model/event-pattern.ts';
import { expectation } from '../model/expectation.ts';
import { type Flow, flow } from '../model/flow.ts';
import { parseInstant } from '../model/time.ts';
import { parseYaml } from '../store/yaml.ts';

const read = (page: string): string => readFileSync(join(import.meta.dirname, '../docs', page), 'utf8');
const text = read('flows.md');
const blocks = [...`${text}\n${read('kinds.md')}`.matchAll(/^```(\w+)([^\n]*)\n(.*?)^```/gms)].map(
  ([, kind, rest, body = '']) => ({ kind: `${kind}${rest ?? ''}`.trim(), body }),
);

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
      const given = Object.fromEntries(
        rest.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const),
      );
      const { amount, currency, party, actor, doc, period, received, lines, ...others } = given;
      const named = Object.entries(others);
      const data: Record<string, unknown> = lines ? { lines: JSON.parse(lines) } : {};
      for (const [path, value] of named)
        if (path.startsWith('data.')) {
          const [, block = '', field = ''] = path.split('.');
          data[block] = { ...(data[block] as object | undefined), [field]: value };
        }
      return {
        id: `${index}`,
        source: 'log',
        type,
        version: 1,
        time,
        receivedAt: received ?? time,
        batch: '1',
        sequence: `${index}`,
        company: 'acme',
        subject,
        ingestPath: 'file',
        amount,
        currency,
        partyKey: party,
        docNumber: doc,
        period,
        actorId: actor,
        keys: named.filter(([key]) => /^[a-z0-9]+$/.test(key)).map(([key, value]) => ({ type: key, value })),
        attributes: Object.fromEntries(
          named.filter(([key]) => key.startsWith('@')).map(([key, value]) => [key.slice(1), value]),
        ),
        data: JSON.stringify(data),
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
  expect(new Set(kinds)).toEqual(new Set(expectation.options.map(({ shape }) => shape.kind.value)));
});

test.each(examples)(
  'the example $name comes out as the page says',
  async ({ rules, events, asOf, expected }) => {
    expect(await judged(readFlow(rules), readEvents(events), asOf)).toEqual(expected);
  },
);

test.each(blocks.filter(({ kind }) => kind === 'yaml'))('each flow of the pages can be used', ({ body }) => {
  expect(readFlow(body).expectations.length).toBeGreaterThan(0);
});

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
    for (const field of Object.keys(kind.shape)) expect(`${text}${read('kinds.md')}`).toContain(`\`${field}`);
  for (const field of Object.keys(flow.shape))
    if (field !== '$schema') expect(text).toContain(`\`${field}\``);
});

test('docs/rules.md is what the flows that come with Closewatch say', async () => {
  const flows = await loadFlows(join(import.meta.dirname, '../flows'));
  expect(read('rules.md').endsWith(ruleTable(flows))).toBe(true);
  const count = flows.flatMap(({ expectations }) => expectations).length;
  expect([count, flows.filter(({ expectations }) => expectations.length > 0).length]).toEqual([82, 13]);
});

test('every flow has its runbook, and every rule stands in it', async () => {
  const runbooks = read('runbooks.md');
  const headings = new Set(
    [...runbooks.matchAll(/^## (.+)$/gm)].map(([, title = '']) => title.toLowerCase().replaceAll(' ', '-')),
  );
  for (const { runbook, expectations } of await loadFlows(join(import.meta.dirname, '../flows'))) {
    expect(headings).toContain(runbook?.split('#')[1]);
    for (const { id } of expectations) expect(runbooks).toContain(id);
  }
});

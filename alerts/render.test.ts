import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { IncidentNews } from '../store/postgres/messages.ts';
import { render } from './render.ts';
import { escaped, limitProblems } from './slack/blocks.ts';

const opened = new Date('2026-05-04T08:01:00Z');
const base: IncidentNews = {
  incident: {
    id: '6f1f7d7c-0000-4000-8000-000000000001',
    number: '7',
    company: 'acme',
    cause_kind: 'interface-error',
    cause_key: 'tax-engine | post /tax | <n> unavailable',
    title: 'tax-engine fails: post /tax, <n> unavailable',
    severity: 'high',
    state: 'open',
    opened_at: opened,
    acknowledged_at: null,
    acknowledged_by: null,
    resolved_at: null,
    resolved_by: null,
    recurrence_of: null,
    exceptions: 40,
    open_exceptions: 37,
    sums: [{ currency: 'EUR', amount: '12000', open: '11100.5' } as { currency: string; amount: string }],
    updated_at: opened,
    version: 2,
    tally: {},
    rank: 14,
    assessed_version: 2,
    routed_version: 0,
    looked_again: false,
  },
  assessment: {
    id: 'a1',
    incident: '6f1f7d7c-0000-4000-8000-000000000001',
    version: 1,
    author: 'rules',
    category: 'tax-engine',
    severity: 'high',
    summary: 'tax-engine fails: post /tax, <n> unavailable.',
    probable_cause: 'The tax engine fails, so documents cannot be completed.',
    next_step: 'Ask the owner of the tax engine.',
    confidence: 0.85,
    claims: [{ text: 'The tax engine fails.', evidence: [2] }],
    proposed_actions: [{ kind: 'requeue-job', reason: 'x', evidence: [2] }],
    evidence: [
      { number: 1, kind: 'history', facts: {} },
      { number: 2, kind: 'span', facts: {}, label: 'tax-engine POST /tax' },
    ],
    evidence_hash: 'h',
    prompt_id: null,
    prompt_hash: null,
    schema_hash: null,
    model: null,
    input_hash: null,
    output_hash: null,
    tokens_in: null,
    tokens_out: null,
    fallback_reason: 'timeout',
    verdicts: [],
    created_at: opened,
    material_hash: 'm',
    asked: 1,
    ask_again_at: null,
    proposed: false,
  },
  acknowledgedBy: undefined,
  recurrenceOf: undefined,
  toldIn: [],
};
const news = (
  incident: Partial<IncidentNews['incident']> = {},
  assessment: Partial<NonNullable<IncidentNews['assessment']>> = {},
  over: Partial<IncidentNews> = {},
): IncidentNews => ({
  ...base,
  incident: { ...base.incident, ...incident },
  assessment: { ...base.assessment!, ...assessment },
  ...over,
});
const to = { publicUrl: 'https://closewatch.acme.example' };

test('an open incident', () => {
  expect(render(news(), to)).toMatchSnapshot();
});

test('acknowledged: by whom, and no button to acknowledge', () => {
  const message = render(
    news(
      { state: 'acknowledged' },
      { author: 'model', model: 'gpt-x', fallback_reason: null },
      { acknowledgedBy: 'Sam <S>' },
    ),
    to,
  );
  expect(message).toMatchSnapshot();
  expect(JSON.stringify(message)).not.toContain('acknowledge_incident');
});

test('resolved, recurring, not assessed yet, in four currencies', () => {
  const sums = ['CHF', 'EUR', 'GBP', 'USD'].map((currency) => ({ currency, amount: '-1234567.891' }));
  const message = render(
    news(
      { state: 'resolved', resolved_at: new Date('2026-05-04T10:00:00Z'), sums },
      {},
      {
        assessment: undefined,
        recurrenceOf: '3',
      },
    ),
    to,
  );
  expect(message).toMatchSnapshot();
});

test('no text of others becomes a mention, a link or a command', () => {
  const attack = '<!channel> <@U1> <https://evil.example|x> & @here *bold* `code`\n\u202e<#C1>';
  const { blocks, text } = render(
    news(
      { title: attack, company: attack },
      { summary: attack, probable_cause: attack, next_step: attack, category: attack },
      { acknowledgedBy: attack },
    ),
    to,
  );
  const all = (JSON.stringify(blocks) + text).replace(/<!date\^\d+\^[^<>|]*\|[^<>|]* UTC>/g, '');
  expect(all).not.toMatch(/<[!@#]|<http/);
  expect(all).not.toContain('\u202e');
  expect(all).toContain('&lt;!channel&gt;');
});

test('escaping never cuts an entity in two', () => {
  for (let limit = 1; limit < 12; limit += 1) {
    const text = escaped('a&b<c>d&e', limit);
    expect(text.length).toBeLessThanOrEqual(limit);
    expect(text.replace(/&(amp|lt|gt);/g, '')).not.toContain('&');
  }
});

test('whatever an incident holds, its message is within the limits of Slack', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom('&'.repeat(4_000), '😀'.repeat(4_000), '<'.repeat(4_000), 'x'.repeat(4_000), ''),
  );
  fc.assert(
    fc.property(text, text, text, text, text, (title, company, summary, cause, label) => {
      const evidence = Array.from({ length: 12 }, (_, at) => ({
        number: at + 1,
        kind: 'event',
        facts: {},
        label,
      }));
      const claims = [{ text: cause, evidence: evidence.map(({ number }) => number) }];
      const message = render(
        news(
          { title, company },
          { summary, probable_cause: cause, next_step: summary, category: title, evidence, claims },
        ),
        to,
      );
      expect(limitProblems(message)).toEqual([]);
      expect(JSON.stringify(message).isWellFormed()).toBe(true);
    }),
    { numRuns: 40 },
  );
});

test('what breaks a limit is named', () => {
  const blocks = [{ type: 'header' as const, text: { type: 'plain_text' as const, text: 'x'.repeat(151) } }];
  expect(limitProblems({ blocks, text: '' })).toEqual([
    'text is empty',
    'blocks[0].text is 151, at most 150',
  ]);
});

test('a message shows the name of the company, and no link when nobody knows where the console is', () => {
  const message = render(news(), { publicUrl: '', companyName: 'Acme <Ltd>' });
  expect(JSON.stringify(message.blocks)).toContain('Acme &lt;Ltd&gt;');
  expect(JSON.stringify(message.blocks)).not.toContain('open_console');
});

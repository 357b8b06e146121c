import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { createCounters } from '../../store/counters.ts';
import { addAssessment, type NewAssessment } from '../../store/postgres/assessments.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import {
  acme,
  at,
  changeExceptions,
  emptied,
  exceptionRow,
  memoryLogger,
  openExceptions,
  temporaryPostgres,
} from '../../test/incident-house.ts';
import { captureSpans, textOf } from '../../test/spans.ts';
import {
  type Behaviour,
  goodAnswer,
  type ModelStandIn,
  startModelStandIn,
} from '../../test/stand-ins/openai.ts';
import { createIncidents } from '../incidents/incidents.ts';
import type { LinkedSpan } from '../incidents/signature.ts';
import { createModel } from './model.ts';
import { createTriage, type TriageConfig } from './triage.ts';

let postgres: Postgres;
let close: () => Promise<void>;
let standIn: ModelStandIn;
beforeAll(async () => {
  ({ postgres, close } = await temporaryPostgres());
});
afterAll(() => close());
beforeEach(async () => {
  await emptied(postgres);
  standIn = await startModelStandIn();
  return () => standIn.close();
});

const failing = (traceId: string): LinkedSpan => ({
  traceId,
  spanId: `s-${traceId}`,
  parentSpanId: '',
  name: 'POST /tax',
  service: 'tax-engine',
  startNs: String(at(-10)),
  statusCode: 'Error',
  statusMessage: '503 unavailable for Jane Canary DE89370400440532013000',
  attributes: { 'http.response.status_code': '503' },
  events: [],
});
const spans = { spansOfTraces: async (ids: readonly string[]) => ids.map(failing) };
const logger = memoryLogger();
const own = captureSpans();

/** Forty bills that failed at the tax engine, grouped into one incident. */
async function incident(): Promise<string> {
  const bills = Array.from({ length: 40 }, (_, n) =>
    exceptionRow(`e${n}`, { trace_ids: [`t${n}`], subject: `Jane Canary DE89370400440532013000 ${n}` }),
  );
  await openExceptions(postgres, bills);
  await createIncidents({ postgres, spans, company: () => acme, logger }).run(at(60));
  const row = await postgres.db.selectFrom('incidents').select('id').executeTakeFirstOrThrow();
  return row.id;
}
const triageOf = (config: TriageConfig = { model: { ...modelConfig(), model: 'stand-in' } }) =>
  createTriage({ pseudonymKey: 'key', ...config }, { postgres, spans, logger });
const modelConfig = () => ({
  apiKey: 'sk-test',
  baseUrl: standIn.url,
  model: 'stand-in',
  attemptMs: 30_000,
  totalMs: 60_000,
});
const assessments = () => postgres.db.selectFrom('assessments').selectAll().orderBy('version').execute();
const incidentRow = () => postgres.db.selectFrom('incidents').selectAll().executeTakeFirstOrThrow();

test('without a model the rules assess, once', async () => {
  await incident();
  const triage = triageOf({});
  expect(await triage.run(at(61))).toEqual({ assessed: 1, byModel: 0, fallbacks: {} });
  expect(await triage.run(at(62))).toEqual({ assessed: 0, byModel: 0, fallbacks: {} });
  const [row, ...more] = await assessments();
  expect(more).toEqual([]);
  expect(row).toMatchObject({
    author: 'rules',
    category: 'tax-engine',
    severity: 'medium',
    fallback_reason: null,
  });
  expect(row?.evidence_hash).toMatch(/^[0-9a-f]{64}$/);
  expect(standIn.requests).toEqual([]);
});

test('with a model its validated answer is the next version, with prompt, schema and hashes', async () => {
  await incident();
  const triage = triageOf();
  expect(await triage.run(at(61))).toEqual({ assessed: 1, byModel: 1, fallbacks: {} });
  const [rules, model] = await assessments();
  expect(rules).toMatchObject({ author: 'rules', fallback_reason: 'superseded' });
  expect(model).toMatchObject({
    author: 'model',
    version: 2,
    summary: 'Bills wait because the tax engine does not answer.',
    prompt_id: 'triage/v2',
    model: 'stand-in-2026-01-01',
    tokens_in: 1_200,
    tokens_out: 180,
    fallback_reason: null,
    evidence_hash: rules?.evidence_hash,
  });
  for (const hash of [model?.prompt_hash, model?.schema_hash, model?.input_hash, model?.output_hash])
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(await triage.run(at(62))).toEqual({ assessed: 0, byModel: 0, fallbacks: {} });
  expect(standIn.requests).toHaveLength(1);
});

test('the wire: one call, strict schema, no tools, evidence as marked data without names or accounts', async () => {
  await incident();
  await triageOf().run(at(61));
  const [request] = standIn.requests;
  expect(request?.path).toBe('/v1/chat/completions');
  expect(request?.authorization).toBe('Bearer sk-test');
  expect(request?.body).not.toHaveProperty('tools');
  expect(request?.body.response_format).toMatchObject({
    type: 'json_schema',
    json_schema: { name: 'assessment', strict: true, schema: { additionalProperties: false } },
  });
  const sent = JSON.stringify(request?.body);
  expect(sent).not.toMatch(/canary|DE8937|BILL\//i);
  expect(request?.evidence[0]).toMatchObject({ number: 1, kind: 'history', facts: { exceptions: 40 } });
  const markers = request?.body.messages[1]?.content.match(/===== evidence ([a-p]{32}) =====/g);
  expect(new Set(markers).size).toBe(1);
});

test.each<[string, Behaviour, string]>([
  ['refuses', { refusal: 'I cannot help with that.' }, 'refusal'],
  ['is cut off', { content: '{"category":"tax', finish: 'length' }, 'truncated'],
  ['writes no JSON', { content: 'Certainly! Here is the assessment:' }, 'malformed'],
  ['answers with no envelope', { rawBody: '{"choices":[]}' }, 'malformed'],
  ['answers with half an envelope', { rawBody: '{"choices":[{"mess' }, 'malformed'],
  ['writes another schema', { content: { verdict: 'fine' } }, 'wrong-schema'],
  ['writes 3 MB', { hugeBytes: 3_000_000 }, 'too-large'],
  [
    'invents evidence',
    { content: goodAnswer({ claims: [{ text: 'It is so.', evidence: [77] }] }) },
    'unsupported',
  ],
  [
    'invents numbers',
    { content: goodAnswer({ claims: [{ text: '4711 bills.', evidence: [1] }] }) },
    'unsupported',
  ],
  ['is throttled', { status: 429, retryAfter: '0' }, 'rate-limited'],
  ['is broken', { status: 500 }, 'server-error'],
  ['does not know the key', { status: 401 }, 'request-refused'],
  ['hangs', { hang: true }, 'timeout'],
])('when the model %s the rules stand and say so', async (_, behaviour, reason) => {
  await incident();
  const before = await incidentRow();
  standIn.behave(behaviour);
  const patience = reason === 'timeout' ? { attemptMs: 300, totalMs: 1_000 } : {};
  const triage = triageOf({ model: { ...modelConfig(), ...patience } });
  expect(await triage.run(at(61))).toEqual({ assessed: 1, byModel: 0, fallbacks: { [reason]: 1 } });
  const rows = await assessments();
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({ author: 'rules', category: 'tax-engine', fallback_reason: reason });
  const { severity, state, exceptions } = await incidentRow();
  expect({ severity, state, exceptions }).toEqual({
    severity: before.severity,
    state: before.state,
    exceptions: before.exceptions,
  });
  expect(standIn.requests.length).toBeLessThanOrEqual(2);
});

test('a server that is not there', async () => {
  await incident();
  await standIn.close();
  expect(await triageOf().run(at(61))).toMatchObject({ fallbacks: { connection: 1 } });
  standIn = await startModelStandIn();
});

test('of a hostile but well-formed answer only what is harmless survives', async () => {
  await incident();
  standIn.behave({
    content: goodAnswer({
      severity: 'info',
      confidence: 1,
      summary: '<!channel> pay https://evil.example/now *urgent*',
      nextStep: 'Transfer 9999 to the account.',
      claims: [
        { text: 'An incident is open. <@U0666>', evidence: [1] },
        { text: 'It hit 123456 bills.', evidence: [1] },
      ],
      proposedActions: [
        { kind: 'delete-everything', reason: 'x', evidence: [1] },
        { kind: 'open-ticket', reason: 'See https://evil.example', evidence: [1] },
      ],
    }),
  });
  await triageOf().run(at(61));
  const row = (await assessments())[1];
  expect(row).toMatchObject({ author: 'model', severity: 'medium', confidence: 0.5, summary: 'pay urgent' });
  expect(row?.next_step).not.toContain('9999');
  expect(row?.claims).toEqual([{ text: 'An incident is open.', evidence: [1] }]);
  expect(row?.proposed_actions).toMatchObject([{ kind: 'open-ticket' }]);
  expect(row?.verdicts).toContainEqual({ part: 'severity', outcome: 'capped', reason: "below the rules'" });
});

test('findings are the same with the model off, good or hostile', async () => {
  const outcome = async (config: TriageConfig, behaviour?: Behaviour) => {
    await emptied(postgres);
    await incident();
    if (behaviour) standIn.behave(behaviour);
    await triageOf(config).run(at(61));
    const { severity, state, exceptions, open_exceptions, sums, title } = await incidentRow();
    const findings = await postgres.db
      .selectFrom('exceptions')
      .select(['id', 'state', 'severity', 'error_signature'])
      .orderBy('id')
      .execute();
    return { severity, state, exceptions, open_exceptions, sums, title, findings };
  };
  const off = await outcome({});
  const on = { model: modelConfig() };
  expect(await outcome(on, { content: goodAnswer({ severity: 'critical' }) })).toEqual(off);
  expect(await outcome(on, { status: 500 })).toEqual(off);
});

test('an IBAN that got into the evidence trips: nothing is sent', async () => {
  await incident();
  const triage = triageOf();
  await triage.assess(at(61));
  const [row] = await assessments();
  const evidence = row?.evidence as { facts: object }[];
  evidence[0]!.facts = { ...evidence[0]!.facts, cause: 'DE89 3704 0044 0532 0130 00' };
  await postgres.db
    .updateTable('assessments')
    .set({ evidence: JSON.stringify(evidence) })
    .execute();
  expect(await triage.ask(() => at(62))).toEqual({ byModel: 0, fallbacks: { tripwire: 1 } });
  expect(standIn.requests).toEqual([]);
  expect((await assessments())[0]?.verdicts).toEqual([
    { part: 'prompt', outcome: 'dropped', reason: 'iban' },
  ]);
});

test('a question makes one span with model and tokens and no text, and is counted', async () => {
  await incident();
  own.taken();
  const counters = createCounters();
  const model = { ...modelConfig(), model: 'stand-in' };
  const triage = createTriage({ pseudonymKey: 'key', model }, { postgres, spans, logger, counters });
  const claims = [{ text: 'Jane Canary', evidence: [99] }, goodAnswer().claims].flat();
  standIn.behave({ content: goodAnswer({ claims }) });
  await triage.run(at(61));
  const made = own.taken();
  expect(made.map(({ name }) => name)).toEqual(['triage.assess', 'chat stand-in', 'triage.ask']);
  expect(made[1]?.attributes).toMatchObject({
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'stand-in',
    'gen_ai.usage.input_tokens': 1_200,
    'gen_ai.usage.output_tokens': 180,
  });
  expect(made.map(textOf).join()).not.toMatch(/Canary|DE89|sk-test|tax engine/i);
  expect(counters.snapshot().map(({ name, labels, value }) => [name, labels, value])).toEqual([
    ['closewatch_assessments', { author: 'model' }, 1],
    ['closewatch_assessments', { author: 'rules' }, 1],
    ['closewatch_model_tokens', { kind: 'input' }, 1_200],
    ['closewatch_model_tokens', { kind: 'output' }, 180],
    ['closewatch_verdicts', { outcome: 'capped', part: 'confidence' }, 1],
    ['closewatch_verdicts', { outcome: 'dropped', part: 'claims' }, 1],
  ]);
});

test('why a model did not answer is in its span, and counted', async () => {
  await incident();
  own.taken();
  const counters = createCounters();
  const model = { ...modelConfig(), model: 'stand-in' };
  standIn.behave({ refusal: 'no' });
  await createTriage({ pseudonymKey: 'key', model }, { postgres, spans, logger, counters }).run(at(61));
  expect(own.taken()[1]).toMatchObject({ name: 'chat stand-in', attributes: { 'error.type': 'refusal' } });
  expect(counters.snapshot()).toContainEqual(
    expect.objectContaining({ name: 'closewatch_model_fallbacks', labels: { reason: 'refusal' }, value: 1 }),
  );
});

test('only a material change is assessed again, and the end is not sent to a model', async () => {
  await incident();
  const triage = triageOf();
  const incidents = createIncidents({ postgres, spans, company: () => acme, logger });
  await triage.run(at(61));
  for (let n = 0; n < 20; n += 1) {
    await changeExceptions(postgres, [`e${n}`], { state: 'late' });
    await incidents.run(at(62 + n));
    await triage.run(at(62 + n));
  }
  expect(standIn.requests).toHaveLength(1);
  expect(await assessments()).toHaveLength(2);
  await changeExceptions(
    postgres,
    Array.from({ length: 20 }, (_, n) => `e${n + 20}`),
    { state: 'late' },
  );
  await incidents.run(at(90));
  await triage.run(at(90));
  expect(standIn.requests).toHaveLength(1);
  expect((await assessments()).at(-1)).toMatchObject({ author: 'rules', version: 3, fallback_reason: null });
});

test('after five failures in a row nobody is asked for a while', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const model = createModel(modelConfig());
  const ask = () => model.ask({ system: 's', user: 'u', settings: { maxTokens: 500 } });
  standIn.behave({ status: 401 });
  for (let n = 0; n < 5; n += 1) expect(await ask()).toEqual({ ok: false, reason: 'request-refused' });
  expect(await ask()).toEqual({ ok: false, reason: 'breaker-open' });
  expect(standIn.requests).toHaveLength(5);
  standIn.behave({ content: goodAnswer() });
  vi.setSystemTime(Date.now() + 29_999);
  expect(await ask()).toEqual({ ok: false, reason: 'breaker-open' });
  vi.setSystemTime(Date.now() + 1);
  expect(await ask()).toMatchObject({ ok: true });
});

test('a question that failed for a passing reason is put again after 5, 15 and 60 minutes, then never', async () => {
  await incident();
  const triage = triageOf();
  const minutes = (n: number) => at(100 + n * 60);
  standIn.behave({ status: 500 });
  await triage.assess(minutes(0));
  const asked: number[] = [];
  for (const minute of [0, 4, 5, 19, 20, 79, 80, 1_000]) {
    const { fallbacks } = await triage.ask(() => minutes(minute));
    if (fallbacks['server-error']) asked.push(minute);
  }
  expect(asked).toEqual([0, 5, 20, 80]);
  expect(await assessments()).toMatchObject([
    { author: 'rules', fallback_reason: 'server-error', asked: 4, ask_again_at: null },
  ]);
});

test('an answer at the second time is the next version; what a model itself said is not asked again', async () => {
  await incident();
  const triage = triageOf();
  standIn.behave({ status: 503 });
  await triage.run(at(61));
  expect((await assessments())[0]).toMatchObject({ fallback_reason: 'server-error', category: 'tax-engine' });
  standIn.behave({ content: goodAnswer() });
  expect(await triage.run(at(361))).toMatchObject({ byModel: 1 });
  expect(await assessments()).toMatchObject([
    { author: 'rules', fallback_reason: 'superseded', ask_again_at: null },
    { author: 'model', version: 2 },
  ]);
  await emptied(postgres);
  await incident();
  standIn.behave({ refusal: 'no' });
  await triage.run(at(61));
  const { length } = standIn.requests;
  await triage.run(at(100_000));
  expect(standIn.requests).toHaveLength(length);
});

test('nothing is asked again of an incident that was resolved or assessed anew', async () => {
  await incident();
  const triage = triageOf();
  standIn.behave({ status: 503 });
  await triage.run(at(61));
  const { length } = standIn.requests;
  const all = Array.from({ length: 40 }, (_, n) => `e${n}`);
  await changeExceptions(postgres, all, { state: 'late' });
  await createIncidents({ postgres, spans, company: () => acme, logger }).run(at(70));
  expect(await triage.ask(() => at(400))).toEqual({ byModel: 0, fallbacks: { superseded: 1 } });
  await triage.run(at(10_000));
  expect(standIn.requests).toHaveLength(length);
});

test('an answer is stored at the instant it came, and only while its assessment is the newest', async () => {
  await incident();
  const triage = triageOf();
  await triage.assess(at(61));
  let seconds = 61;
  standIn.behave(() => {
    seconds = 75;
    return { content: goodAnswer() };
  });
  await triage.ask(() => at(seconds));
  const [rules, model] = await assessments();
  expect(model?.created_at.getTime()).toBe(Number(at(75) / 1_000_000n));
  const late = { ...goodAnswer(), ...{ author: 'model', evidence: [], evidenceHash: 'h', verdicts: [] } };
  const answer = { ...late, incident: rules?.incident, materialHash: 'm' } as unknown as NewAssessment;
  expect(await addAssessment(postgres, answer, { now: at(80), after: rules!.id })).toBeUndefined();
  expect(await assessments()).toHaveLength(2);
  expect(await addAssessment(postgres, answer, { now: at(80), after: model!.id })).toBe(3);
});

test('spans that came late are seen ten minutes after an incident opened, once, while nobody has taken it over', async () => {
  const row = exceptionRow('e1', { trace_ids: ['t1'] });
  await openExceptions(postgres, [row]);
  let come: LinkedSpan[] = [];
  let reads = 0;
  const late = {
    async spansOfTraces() {
      reads += 1;
      return come;
    },
  };
  await createIncidents({ postgres, spans: late, company: () => acme, logger }).run(at(60));
  reads = 0;
  const triage = createTriage({}, { postgres, spans: late, logger });
  await triage.run(at(61));
  come = [failing('t1')];
  expect(await triage.run(at(659))).toMatchObject({ assessed: 0 });
  expect(reads).toBe(1);
  expect(await triage.run(at(660))).toMatchObject({ assessed: 1 });
  expect((await assessments()).map(({ category }) => category)).toEqual([expect.any(String), 'tax-engine']);
  expect((await assessments())[0]?.category).not.toBe('tax-engine');
  expect(await triage.run(at(9_999))).toMatchObject({ assessed: 0 });
  expect(reads).toBe(2);
});

test('a refusal is an answer: it opens no breaker', async () => {
  const model = createModel(modelConfig());
  standIn.behave({ refusal: 'no' });
  for (let n = 0; n < 7; n += 1)
    expect(await model.ask({ system: 's', user: 'u', settings: { maxTokens: 500 } })).toEqual({
      ok: false,
      reason: 'refusal',
    });
});

test('an incident that cannot be assessed holds up no other', async () => {
  await openExceptions(postgres, [
    exceptionRow('bad', { rule: 'R1', trace_ids: ['bad'] }),
    exceptionRow('good', { rule: 'R2' }),
  ]);
  await createIncidents({ postgres, company: () => acme, logger }).run(at(60));
  const broken = { spansOfTraces: () => Promise.reject(new Error('the traces are away')) };
  const triage = createTriage({}, { postgres, spans: broken, logger });
  await expect(triage.run(at(61))).rejects.toThrow('the traces are away');
  expect(await assessments()).toHaveLength(1);
  expect(await triageOf({}).run(at(62))).toMatchObject({ assessed: 1 });
  expect(await assessments()).toHaveLength(2);
});

test('neither keys nor names are logged', async () => {
  await incident();
  standIn.behave({ status: 500 });
  await triageOf().run(at(61));
  expect(logger.lines.join('\n')).not.toMatch(/sk-test|canary|DE8937/i);
});

test('the day’s budget holds, of the company and of all; what it put off is asked on the next day', async () => {
  await incident();
  standIn.behave({ content: goodAnswer() });
  const model = { ...modelConfig(), model: 'stand-in' };
  const budget = { tokensPerDay: 1_000_000, tokensPerCompany: 100 };
  expect(await triageOf({ model, budget }).run(at(61))).toMatchObject({
    byModel: 0,
    fallbacks: { budget: 1 },
  });
  expect(standIn.requests).toHaveLength(0);
  const again = new Date('2026-05-05T00:00:00Z');
  expect(await assessments()).toMatchObject([{ fallback_reason: 'budget', ask_again_at: again }]);
  const dear = {
    tokensPerDay: 1_000_000,
    tokensPerCompany: 1_000_000,
    price: { input: 1, output: 1 },
    costPerDay: 0.000001,
  };
  const nextDay = BigInt(again.getTime()) * 1_000_000n;
  expect(await triageOf({ model, budget: dear }).ask(() => nextDay)).toMatchObject({
    fallbacks: { budget: 1 },
  });
  const enough = { ...dear, costPerDay: 5 };
  const dayAfter = nextDay + 86_400_000_000_000n;
  expect(await triageOf({ model, budget: enough }).ask(() => dayAfter)).toMatchObject({ byModel: 1 });
  const usage = await postgres.db.selectFrom('model_usage').selectAll().orderBy('company').execute();
  const last = usage.filter(({ day }) => day === '2026-05-06');
  // What was reserved at most is corrected to what the answer says that it used.
  expect(last).toMatchObject([
    { company: '*', tokens: '1380', cost: '1380', calls: 1 },
    { company: 'acme', tokens: '1380', cost: '1380', calls: 1 },
  ]);
});

test('the same question is asked once', async () => {
  const id = await incident();
  standIn.behave({ content: goodAnswer() });
  expect(await triageOf().run(at(61))).toMatchObject({ byModel: 1 });
  await postgres.db.deleteFrom('assessments').where('incident', '=', id).execute();
  await postgres.db.updateTable('incidents').set({ assessed_version: 0 }).execute();
  expect(await triageOf().run(at(61))).toMatchObject({ assessed: 1, byModel: 1 });
  expect(standIn.requests).toHaveLength(1);
});

test('of a company or a flow that keeps to itself nothing is asked', async () => {
  await incident();
  standIn.behave({ content: goodAnswer() });
  const model = { ...modelConfig(), model: 'stand-in' };
  const quiet = createTriage(
    { model, pseudonymKey: 'key' },
    { postgres, spans, logger, company: () => ({ ...acme, model: false }) },
  );
  expect(await quiet.run(at(61))).toMatchObject({ byModel: 0, fallbacks: { 'switched-off': 1 } });
  await emptied(postgres);
  await incident();
  const privateFlows = new Set(['ap-bills']);
  expect(await triageOf({ model, privateFlows }).run(at(61))).toMatchObject({
    fallbacks: { 'switched-off': 1 },
  });
  expect(standIn.requests).toHaveLength(0);
});

import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { beforeEach, expect, test } from 'vitest';
import { ClosewatchError } from '../model/errors.ts';
import { captureSpans, textOf } from '../test/spans.ts';
import { openSpan, untraced, withSpan } from './tracing.ts';

const spans = captureSpans();
beforeEach(() => void spans.taken());

test('gives the result of the work, in a span whose children know it', async () => {
  const result = await withSpan('outer', { 'closewatch.events': 2 }, async (span) => {
    span.setAttribute('closewatch.rows', 3);
    return await withSpan('inner', {}, async () => 'done', SpanKind.CLIENT);
  });
  expect(result).toBe('done');
  const [inner, outer, ...more] = spans.taken();
  expect(more).toEqual([]);
  expect(outer).toMatchObject({
    name: 'outer',
    kind: SpanKind.INTERNAL,
    attributes: { 'closewatch.events': 2, 'closewatch.rows': 3 },
    status: { code: SpanStatusCode.UNSET },
  });
  expect(inner).toMatchObject({ name: 'inner', kind: SpanKind.CLIENT });
  expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
  expect(outer?.parentSpanContext).toBeUndefined();
});

test.each([
  [new ClosewatchError('engine.failed', 'BILL/2026/0012 of DE89370400440532013000'), 'engine.failed'],
  [new RangeError('BILL/2026/0012 of DE89370400440532013000'), 'RangeError'],
  [Object.assign(new Error('x'), { code: 'BILL/2026/0012' }), 'Error'],
  ['BILL/2026/0012', 'unknown'],
])('of an error it keeps the code or class, and nothing of the message', async (error, type) => {
  const failing = withSpan('work', {}, async () => {
    throw error;
  });
  await expect(failing).rejects.toBe(error);
  const [span] = spans.taken();
  expect(span?.attributes).toEqual({ 'error.type': type });
  expect(span?.status).toEqual({ code: SpanStatusCode.ERROR });
  expect(span?.events.map(({ name, attributes }) => ({ name, attributes }))).toEqual([
    { name: 'exception', attributes: { 'exception.type': type } },
  ]);
  expect(span && textOf(span)).not.toMatch(/BILL|DE89/);
});

test('what is untraced makes no span, however deep, and only that', async () => {
  const work = async () => {
    openSpan('stream', {}).end();
    await withSpan('one', {}, () => withSpan('two', {}, async () => {}));
  };
  await untraced(work);
  expect(spans.taken()).toEqual([]);
  await work();
  expect(spans.taken().map(({ name }) => name)).toEqual(['stream', 'two', 'one']);
});

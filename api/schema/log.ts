import type { LogHead, LogRecord } from '../../model/log.ts';
import { openLogs } from '../../store/clickhouse/logs.ts';
import { readableTraces } from '../../store/clickhouse/trace-rights.ts';
import { type ApiContext, MAX_LOGS } from '../context.ts';
import { builder } from './builder.ts';
import { rowsAsked, USUAL_LOGS } from './connection.ts';
import { LogRecordRef } from './refs.ts';
import { instantOfNanos, KeyValueRef, keyValues } from './scalars.ts';

/** All of a log record of which a timeline has the head. */
const whole = async (
  log: LogHead & Partial<LogRecord>,
  { load }: Pick<ApiContext, 'load'>,
): Promise<Partial<LogRecord> | undefined> =>
  log.attributes === undefined
    ? (await load.logs.load(log.traceId)).find(
        ({ timeNs, spanId, body, identity }) =>
          timeNs === log.timeNs && spanId === log.spanId && body === log.body && identity === log.identity,
      )
    : log;

LogRecordRef.implement({
  description: 'A log record as it was sent.',
  fields: (t) => ({
    at: t.field({
      type: 'Instant',
      description: 'When it happened, else when it was observed',
      resolve: (record) => instantOfNanos(record.timeNs),
    }),
    timeNs: t.exposeString('timeNs', { description: 'Nanoseconds since 1970-01-01T00:00:00Z' }),
    traceId: t.exposeString('traceId'),
    spanId: t.string({ nullable: true, resolve: (record) => record.spanId || null }),
    service: t.exposeString('service'),
    severityNumber: t.exposeInt('severityNumber', {
      description: '1 to 24; 9 info, 13 warn, 17 error, 21 fatal; 0 unknown',
    }),
    severityText: t.exposeString('severityText', { description: 'As the source words it' }),
    body: t.exposeString('body'),
    eventName: t.string({
      nullable: true,
      description: 'The name of the event, when the record is one',
      resolve: (record) => record.eventName || null,
    }),
    scopeName: t.string({ resolve: async (log, _, context) => (await whole(log, context))?.scopeName ?? '' }),
    scopeVersion: t.string({
      resolve: async (log, _, context) => (await whole(log, context))?.scopeVersion ?? '',
    }),
    resourceAttributes: t.field({
      type: [KeyValueRef],
      extensions: { costRows: 15 },
      resolve: async (log, _, context) => keyValues((await whole(log, context))?.resourceAttributes ?? {}),
    }),
    attributes: t.field({
      type: [KeyValueRef],
      extensions: { costRows: 15 },
      resolve: async (log, _, context) => keyValues((await whole(log, context))?.attributes ?? {}),
    }),
  }),
});

builder.queryFields((t) => ({
  logs: t.field({
    type: [LogRecordRef],
    description:
      'The log records of a trace, or of one of its spans, in order of time, also of a trace without spans. Who may not read the trace gets none.',
    args: {
      traceId: t.arg.id({ required: true }),
      spanId: t.arg.id(),
      first: t.arg.int({ required: true, defaultValue: MAX_LOGS }),
    },
    extensions: { costRows: USUAL_LOGS },
    resolve: async (_, { traceId, spanId, first }, { clickhouse, scope, logs }) => {
      const limit = rowsAsked(first, MAX_LOGS);
      const readable = await readableTraces(clickhouse, scope, [traceId.toLowerCase()]);
      const store = openLogs(clickhouse);
      const records =
        spanId && readable[0]
          ? await store.logsOfSpan(readable[0], spanId, { limit })
          : await store.logsOfTraces(readable, { limit });
      logs.take(records.length);
      return records;
    },
  }),
}));

import {
  type Attributes,
  context,
  createContextKey,
  INVALID_SPAN_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { errorCode } from '../model/errors.ts';

const tracer = trace.getTracer('closewatch');
const UNTRACED = createContextKey('closewatch: make no spans');

/**
 * The result of `work`, done inside a span: one unit of work. Names and attributes are ours or from closed sets, never a
 * parameter, a document's text or SQL with values; of an error only its class or code is kept, for messages hold data.
 * Without a registered SDK it costs next to nothing.
 */
export async function withSpan<T>(
  name: string,
  attributes: Attributes,
  work: (span: Span) => Promise<T>,
  kind: SpanKind = SpanKind.INTERNAL,
): Promise<T> {
  const span = openSpan(name, attributes, kind);
  try {
    return await context.with(trace.setSpan(context.active(), span), work, undefined, span);
  } catch (error) {
    failSpan(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** A span for work that is no one function, such as a stream; whoever opens it ends it. */
export function openSpan(name: string, attributes: Attributes, kind: SpanKind = SpanKind.INTERNAL): Span {
  if (context.active().getValue(UNTRACED)) return trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
  return tracer.startSpan(name, { attributes, kind });
}

/** Marks a span as failed, with what kind of error it was and not its message. */
export function failSpan(span: Span, error: unknown): void {
  const type = errorType(error);
  span.setAttribute('error.type', type);
  span.addEvent('exception', { 'exception.type': type });
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** Does `work` without spans, whatever it calls: for requests that carry our own spans, which would beget spans for ever. */
export function untraced<T>(work: () => Promise<T>): Promise<T> {
  return context.with(context.active().setValue(UNTRACED, true), work);
}

/** Does the work make spans at the moment? */
export const isUntraced = (place = context.active()): boolean => place.getValue(UNTRACED) === true;

const errorType = (error: unknown): string =>
  errorCode(error) ?? (error instanceof Error ? error.constructor.name : 'unknown');

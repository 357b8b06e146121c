/** A point in time inside a span. */
export interface SpanEvent {
  readonly timeNs: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceState: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A span as it is read back: ids are lower-case hex, times decimal text of nanoseconds since 1970, attributes text as the exporter writes them. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  /** Unspecified, Internal, Server, Client, Producer, Consumer. */
  readonly kind: string;
  readonly service: string;
  readonly resourceAttributes: Readonly<Record<string, string>>;
  readonly scopeName: string;
  readonly scopeVersion: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly startNs: string;
  readonly durationNs: string;
  /** Unset, Ok, Error. */
  readonly statusCode: string;
  readonly statusMessage: string;
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
}

/** What a timeline shows of a span; the rest of it is read when somebody asks. */
export type SpanHead = Pick<
  Span,
  | 'traceId'
  | 'spanId'
  | 'parentSpanId'
  | 'name'
  | 'kind'
  | 'service'
  | 'startNs'
  | 'durationNs'
  | 'statusCode'
  | 'statusMessage'
>;

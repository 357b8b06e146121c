/** A log record as it is read back: ids are lower-case hex, times decimal text of nanoseconds since 1970, attributes text as the exporter writes them. */
export interface LogRecord {
  /** Empty when it belongs to no trace. */
  readonly traceId: string;
  readonly spanId: string;
  /** When it happened, else when it was observed. */
  readonly timeNs: string;
  /** As the source words it. */
  readonly severityText: string;
  /** 1 to 24; 9 info, 13 warn, 17 error, 21 fatal; 0 unknown. */
  readonly severityNumber: number;
  readonly service: string;
  readonly body: string;
  /** The name of the event, when the record is one. */
  readonly eventName: string;
  /** Tells records apart that are equal in all but their attributes. */
  readonly identity: string;
  readonly resourceAttributes: Readonly<Record<string, string>>;
  readonly scopeName: string;
  readonly scopeVersion: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** What a timeline shows of a log record; the rest of it is read when somebody asks. */
export type LogHead = Omit<LogRecord, 'resourceAttributes' | 'scopeName' | 'scopeVersion' | 'attributes'>;

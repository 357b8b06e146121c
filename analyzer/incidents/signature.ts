/** What grouping needs of a span; the spans of store/clickhouse have it. */
export interface LinkedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly service: string;
  /** Epoch nanoseconds as text. */
  readonly startNs: string;
  readonly statusCode: string;
  readonly statusMessage: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly events: readonly {
    readonly name: string;
    readonly attributes: Readonly<Record<string, string>>;
  }[];
}

/** Where and how an interface fails: equal texts are one failure. */
export interface ErrorSignature {
  readonly key: string;
  readonly service: string;
  readonly operation: string;
  readonly error: string;
}

const MAX_LENGTH = 160;
/** So much of a text is masked: what differs between two failures of a kind lies before, and a text may be megabytes long. */
const MAX_READ = 8_000;
/** Each costs a number of steps that grows with the text and no faster: none looks ahead for an end from every beginning. */
const MASKS: readonly (readonly [RegExp, string])[] = [
  [/\bhttps?:\/\/[^\s"'<>)]+/gi, '<url>'],
  [/(?<![\w.+-])[\w.+-]+@[\w-]+(\.[\w-]+)+/g, '<email>'],
  [/"[^"]*"|'[^']*'|`[^`]*`|«[^«»]*»|“[^“”]*”|‘[^‘’]*’/g, '<text>'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<id>'],
  [/\b(0x)?(?=[0-9a-f]*\d)[0-9a-f]{8,}\b/gi, '<hex>'],
  [/[+-]?[\p{L}\w]+([/_.,:#-][\p{L}\w]+)*%?/gu, ''],
];

const maskWord = (word: string): string => {
  if (!/\d/.test(word)) return word;
  return /^[+-]?\d+([.,:]\d+)*%?$/.test(word) ? '<n>' : '<id>';
};

/**
 * A text with what changes from one occurrence to the next masked: numbers `<n>`, hex `<hex>`, uuids and words that hold
 * a digit `<id>`, quoted text `<text>`, URLs and mail addresses; lower case, single blanks, at most 160 characters. Of a
 * text the first 8,000 characters count.
 */
export function normaliseText(text: string): string {
  const masked = MASKS.reduce(
    (rest, [pattern, mask]) => rest.replace(pattern, (found) => mask || maskWord(found)),
    text.slice(0, MAX_READ),
  );
  return masked
    .toLowerCase()
    .replace(/(<\w+>)(?:[\s,;/|-]+\1)+/g, '$1')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_LENGTH);
}

const isError = (span: LinkedSpan): boolean => /^(2|(status_code_)?error)$/i.test(span.statusCode);

/** The error of a span: its normalised status message, else the exception's type, else `error.type`, else `error`. */
function errorText(span: LinkedSpan): string {
  const thrown = span.events.find((event) => event.name === 'exception')?.attributes;
  const type = thrown?.['exception.type'] ?? span.attributes['error.type'];
  return normaliseText(span.statusMessage) || normaliseText(type ?? '') || 'error';
}

/** The signature of a failing span: service, span name and normalised error. */
export function errorSignature(span: LinkedSpan): ErrorSignature {
  const operation = normaliseText(span.name);
  const error = errorText(span);
  return { key: `${span.service} | ${operation} | ${error}`, service: span.service, operation, error };
}

/** Error spans that no error span descends from: where the failure began. */
export function failingLeaves(spans: readonly LinkedSpan[]): LinkedSpan[] {
  const errors = spans.filter(isError);
  const parents = new Set(errors.map((span) => `${span.traceId}/${span.parentSpanId}`));
  return errors.filter((span) => !parents.has(`${span.traceId}/${span.spanId}`));
}

/** The most frequent signature of the failing leaves; of equally frequent ones the earliest. Undefined without errors. */
export function commonSignature(spans: readonly LinkedSpan[]): ErrorSignature | undefined {
  const counts = new Map<string, { signature: ErrorSignature; count: number }>();
  const leaves = failingLeaves(spans).sort((a, b) =>
    BigInt(a.startNs) === BigInt(b.startNs)
      ? a.spanId.localeCompare(b.spanId)
      : BigInt(a.startNs) < BigInt(b.startNs)
        ? -1
        : 1,
  );
  for (const span of leaves) {
    const signature = errorSignature(span);
    const seen = counts.get(signature.key);
    if (seen) seen.count += 1;
    else counts.set(signature.key, { signature, count: 1 });
  }
  let best: { signature: ErrorSignature; count: number } | undefined;
  for (const entry of counts.values()) if (!best || entry.count > best.count) best = entry;
  return best?.signature;
}

/** An exception as ClickHouse words it: a number, a text, the name of the number. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: number;
  readonly type: string;
  /** The HTTP status, where it does not follow from the code. */
  readonly httpStatus: number | undefined;

  constructor(code: number, message: string, type: string, httpStatus?: number) {
    super(message);
    this.code = code;
    this.type = type;
    this.httpStatus = httpStatus;
  }
}

const NATIVE = /^(?:Code: (\d+)\. DB::Exception: )+([\s\S]*)\(([A-Z0-9_]+)\)\s*$/;

/** The exception that chDB threw; what its inserts from files say twice is said once. */
export function engineError(thrown: unknown): EngineError {
  if (thrown instanceof EngineError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const match = NATIVE.exec(text);
  if (!match) return new EngineError(1002, text, 'UNKNOWN_EXCEPTION');
  const type = match[3]!;
  const inner = /^([\s\S]*?)\s*\(([A-Z0-9_]+)\)\s*\(version [^)]*\)\.?\s*$/.exec(match[2]!);
  const message = inner && inner[2] === type ? inner[1]! : match[2]!;
  return new EngineError(Number(match[1]), message.trimEnd(), type);
}

/** After `exceptionCodeToHTTPStatus` of ClickHouse's HTTPHandler; what is not here is 500. */
const STATUS = new Map<number, number>([
  ...[194].map((code) => [code, 401] as const),
  ...[192, 193, 497, 516, 164].map((code) => [code, 403] as const),
  ...[6, 8, 10, 26, 27, 36, 38, 41, 42, 43, 44, 50, 51, 53, 62, 69, 70, 72, 117, 130, 131, 376, 456, 457].map(
    (code) => [code, 400] as const,
  ),
  ...[16, 46, 47, 56, 60, 63, 73, 81, 115, 372].map((code) => [code, 404] as const),
  [159, 408],
  [307, 413],
  [48, 501],
  [202, 503],
]);

export const httpStatus = (error: EngineError): number => error.httpStatus ?? STATUS.get(error.code) ?? 500;

/** `Code: 62. DB::Exception: … (SYNTAX_ERROR) (version 26.7.2.1 (chdb))`: what stands in an error's body. */
export const errorText = (error: EngineError, version: string): string =>
  `Code: ${error.code}. DB::Exception: ${error.message.trimEnd()} (${error.type}) (version ${version} (chdb))\n`;

/** The bytes that end a result whose query failed after output began, for the tag of the response's header. */
export function midStreamException(text: string, tag: string): Buffer {
  const message = text.endsWith('\n') ? text : `${text}\n`;
  const length = Buffer.byteLength(message);
  return Buffer.from(`\r\n__exception__\r\n${tag}\r\n${message}${length} ${tag}\r\n__exception__\r\n`);
}

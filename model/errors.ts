/**
 * Every error of the house: its code, its HTTP status and whether trying again later can help.
 * Code branches on `code`, never on message text (after Fastify's `lib/errors.js`).
 */
const ERRORS = {
  'config.invalid': { status: 500, retryable: false },
  'data-dir.locked': { status: 503, retryable: true },
  'schema.newer': { status: 500, retryable: false },
  'schema.edited': { status: 500, retryable: false },
  'engine.unavailable': { status: 503, retryable: true },
  'engine.failed': { status: 500, retryable: false },
  'engine.data': { status: 500, retryable: false },
  'store.unavailable': { status: 503, retryable: true },
  'auth.missing': { status: 401, retryable: false },
  'auth.invalid': { status: 401, retryable: false },
  'auth.forbidden': { status: 403, retryable: false },
  'request.method': { status: 405, retryable: false },
  'request.path': { status: 404, retryable: false },
  'request.media-type': { status: 415, retryable: false },
  'request.too-large': { status: 413, retryable: false },
  'request.malformed': { status: 400, retryable: false },
  'request.overloaded': { status: 503, retryable: true },
  'request.too-complex': { status: 400, retryable: false },
  'request.timeout': { status: 504, retryable: true },
  internal: { status: 500, retryable: false },
  'event.invalid': { status: 422, retryable: false },
  'event.conflict': { status: 409, retryable: false },
  'flow.invalid': { status: 422, retryable: false },
  'import.invalid': { status: 422, retryable: false },
  'not-found': { status: 404, retryable: false },
  'state.conflict': { status: 409, retryable: false },
  'model.unusable': { status: 502, retryable: false },
  'detect.busy': { status: 503, retryable: true },
  'delivery.failed': { status: 502, retryable: true },
  'action.refused': { status: 422, retryable: false },
  'action.unreachable': { status: 503, retryable: true },
  'odoo.credentials': { status: 502, retryable: false },
  'odoo.access': { status: 502, retryable: false },
  'odoo.missing': { status: 404, retryable: false },
  'odoo.refused': { status: 422, retryable: false },
  'odoo.unsupported': { status: 502, retryable: false },
  'odoo.call': { status: 502, retryable: false },
  'odoo.database': { status: 502, retryable: true },
  'odoo.busy': { status: 503, retryable: true },
  'odoo.unreachable': { status: 503, retryable: true },
  'odoo.timeout': { status: 504, retryable: true },
  'odoo.too-large': { status: 502, retryable: false },
  'odoo.protocol': { status: 502, retryable: false },
  'odoo.failed': { status: 502, retryable: false },
} as const satisfies Record<string, { status: number; retryable: boolean }>;

export type ErrorCode = keyof typeof ERRORS;

/** One thing that is wrong and where: a file with line and column, a JSON path, a row number. */
export interface Problem {
  readonly where: string;
  readonly what: string;
}

/** The one error class: says what is wrong and where. `status` and `retryable` follow from `code`. */
export class ClosewatchError extends Error {
  override readonly name = 'ClosewatchError';
  readonly code: ErrorCode;
  readonly problems: readonly Problem[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { problems?: readonly Problem[]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.problems = options.problems ?? [];
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

/** The code of an error, or undefined when it is none of ours. Works across copies of the class. */
export function errorCode(error: unknown): ErrorCode | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : undefined;
}

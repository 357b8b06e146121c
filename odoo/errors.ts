import { ClosewatchError, type ErrorCode } from '../model/errors.ts';

/** What Odoo's own texts may take of ours. */
const MAX_TEXT = 500;

export type OdooErrorCode = Extract<ErrorCode, `odoo.${string}`>;

/** A call of Odoo's API that failed. Never holds a traceback, an address of Odoo's database, a credential or what was sent. */
export class OdooError extends ClosewatchError {
  declare readonly code: OdooErrorCode;
  /** Odoo's name of the exception, `odoo.exceptions.AccessError`, when it told one. */
  readonly exception: string | undefined;
  /** How long Odoo, or what stands before it, asks us to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: OdooErrorCode,
    message: string,
    { exception, retryAfterMs, cause }: { exception?: string; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(code, message, cause === undefined ? {} : { cause });
    this.exception = exception;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Codes by the name of the exception, which is never translated, as its text is. First match holds; of `psycopg2` those that
 * pass by themselves are told from those that blame the call.
 */
const BY_NAME: readonly (readonly [RegExp, OdooErrorCode])[] = [
  [/AccessDenied$|Unauthorized$|SessionExpired/, 'odoo.credentials'],
  [/AccessError$|Forbidden$/, 'odoo.access'],
  [/MissingError$/, 'odoo.missing'],
  [/(UserError|ValidationError|RedirectWarning|except_orm)$/, 'odoo.refused'],
  [/NotFound$|AttributeError$/, 'odoo.unsupported'],
  [
    /^psycopg2.*(SerializationFailure|DeadlockDetected|LockNotAvailable|TransactionRollback|QueryCanceled)/,
    'odoo.busy',
  ],
  [/^psycopg2.*(OperationalError|InterfaceError|PoolError)$|PoolError$/, 'odoo.database'],
  [/(ValueError|KeyError|TypeError|IndexError|UnprocessableEntity|BadRequest)$|^psycopg2/, 'odoo.call'],
];

/** The error that Odoo tells of: `name` and `message` of the exception; `where` says which call it was, `account.move.read`. */
export function odooFault(where: string, name: string, message: string): OdooError {
  const code = BY_NAME.find(([pattern]) => pattern.test(name))?.[1] ?? 'odoo.failed';
  const told = code === 'odoo.failed' || name.startsWith('psycopg2') ? message.split('\n', 1)[0] : message;
  return new OdooError(code, `${where}: ${textOf(code, told ?? '')}`, { exception: name.slice(0, 200) });
}

/** The text of a database that is not there names its host and port. */
function textOf(code: OdooErrorCode, message: string): string {
  if (code === 'odoo.database') return 'Odoo cannot use this database: is its name right, and is it up?';
  const text = message.replaceAll(/\s+/g, ' ').trim();
  return text === '' ? 'Odoo gave no reason' : text.slice(0, MAX_TEXT);
}

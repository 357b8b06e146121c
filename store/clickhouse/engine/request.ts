import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { EngineConfig } from './config.ts';
import { EngineError } from './errors.ts';

/** What the URL and the headers of a request say, after ClickHouse's HTTP interface. */
export interface EngineRequest {
  readonly query: string;
  /** Undefined when the request names none: a session goes on in its own then. */
  readonly database: string | undefined;
  readonly queryId: string | undefined;
  readonly session:
    | { readonly id: string; readonly seconds: number; readonly mustExist: boolean }
    | undefined;
  readonly settings: ReadonlyMap<string, string>;
  /** `param_x=…` as `x` → the raw text, which ClickHouse reads by TabSeparated's escapes. */
  readonly params: ReadonlyMap<string, string>;
  readonly defaultFormat: string;
  readonly compressResult: boolean;
  readonly waitEnd: boolean;
  /** The client reads Native blocks of a TCP revision, which chDB cannot write. */
  readonly wantsNativeRevision: boolean;
}

const RESERVED = new Set([
  'query',
  'database',
  'user',
  'password',
  'quota_key',
  'client_protocol_version',
  'role',
  'query_id',
  'session_id',
  'session_timeout',
  'session_check',
  'default_format',
  'compress',
  'decompress',
  'enable_http_compression',
  'http_zlib_compression_level',
  'wait_end_of_query',
  'buffer_size',
  'stacktrace',
  'close_session',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'http_write_exception_in_output_format',
  'cancel_http_readonly_queries_on_client_close',
]);
const NAME = /^[A-Za-z_][A-Za-z0-9_.]*$/;
const FORMAT = /^[A-Za-z][A-Za-z0-9]*$/;
const MAX_SESSION_SECONDS = 3600;

const bad = (message: string): EngineError => new EngineError(36, message, 'BAD_ARGUMENTS');
const isOn = (text: string | null): boolean => text === '1' || text === 'true';
const header = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

/** The request's parts. Throws code 36 on a name that is none, 115 never: unknown settings are the engine's to refuse. */
export function readRequest(request: IncomingMessage, url: URL, config: EngineConfig): EngineRequest {
  const search = url.searchParams;
  const settings = new Map<string, string>();
  const params = new Map<string, string>();
  for (const [name, value] of search) {
    if (name.startsWith('param_')) params.set(plainName(name.slice(6)), value);
    else if (!RESERVED.has(name)) settings.set(plainName(name), value);
  }
  limitTime(settings, config.maxExecutionSeconds);
  // A GET may be stricter than read-only, never laxer.
  if ((request.method === 'GET' || request.method === 'HEAD') && settings.get('readonly') !== '1') {
    settings.set('readonly', '2');
  }
  if (isOn(search.get('compress')) || isOn(search.get('decompress'))) {
    throw new EngineError(
      48,
      "ClickHouse's own block compression is not supported; use HTTP's.",
      'NOT_IMPLEMENTED',
    );
  }
  const defaultFormat =
    search.get('default_format') ?? header(request, 'x-clickhouse-format') ?? 'TabSeparated';
  if (!FORMAT.test(defaultFormat))
    throw new EngineError(73, `Unknown format ${defaultFormat}.`, 'UNKNOWN_FORMAT');
  return {
    query: search.getAll('query').join(''),
    database: search.get('database') ?? header(request, 'x-clickhouse-database'),
    queryId: queryId(search.get('query_id')),
    session: readSession(search),
    settings,
    params,
    defaultFormat,
    compressResult: isOn(search.get('enable_http_compression')),
    waitEnd: isOn(search.get('wait_end_of_query')),
    wantsNativeRevision: Number(search.get('client_protocol_version') ?? 0) > 0,
  };
}

/** The name itself; throws code 36 when it is none of a setting or parameter. */
export function plainName(name: string): string {
  if (!NAME.test(name)) throw bad(`'${name.slice(0, 80)}' is not the name of a setting or parameter.`);
  return name;
}

/** No query runs without an end: 0 and what is past the limit become the limit. */
function limitTime(settings: Map<string, string>, limit: number): void {
  const asked = settings.get('max_execution_time');
  if (asked === undefined) return;
  const seconds = Number(asked);
  if (seconds === 0 || seconds > limit) settings.set('max_execution_time', String(limit));
}

function queryId(text: string | null): string | undefined {
  if (text === null || text === '') return undefined;
  if (!/^[\x21-\x7e]{1,256}$/.test(text)) throw bad('query_id must be 1 to 256 printable ASCII characters.');
  return text;
}

function readSession(search: URLSearchParams): EngineRequest['session'] {
  const id = search.get('session_id');
  if (!id) return undefined;
  if (id.length > 256) throw bad('session_id is too long.');
  const seconds = Number(search.get('session_timeout') ?? 60);
  if (!(seconds > 0 && seconds <= MAX_SESSION_SECONDS)) {
    throw new EngineError(
      374,
      `session_timeout must be above 0 and at most ${MAX_SESSION_SECONDS}.`,
      'INVALID_SESSION_TIMEOUT',
    );
  }
  return { id, seconds, mustExist: isOn(search.get('session_check')) };
}

/** Throws code 516 unless the request names the engine's user and password, in any of ClickHouse's three ways. */
export function authenticate(request: IncomingMessage, url: URL, config: EngineConfig): void {
  const { user, password } = credentials(request, url);
  if (same(user, config.username) && same(password, config.password)) return;
  throw new EngineError(
    516,
    `${user.slice(0, 64).replace(/[^\x20-\x7e]/g, '?')}: Authentication failed: password is incorrect, or there is no user with such name.`,
    'AUTHENTICATION_FAILED',
  );
}

function credentials(request: IncomingMessage, url: URL): { user: string; password: string } {
  const user = header(request, 'x-clickhouse-user');
  if (user !== undefined) return { user, password: header(request, 'x-clickhouse-key') ?? '' };
  const basic = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(header(request, 'authorization') ?? '')?.[1];
  if (basic) {
    const [name = '', ...rest] = Buffer.from(basic, 'base64').toString('utf8').split(':');
    return { user: name, password: rest.join(':') };
  }
  return {
    user: url.searchParams.get('user') ?? 'default',
    password: url.searchParams.get('password') ?? '',
  };
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
const same = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));

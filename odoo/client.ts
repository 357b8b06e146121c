import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { z } from 'zod';
import { ServerClock } from './clock.ts';
import { OdooError } from './errors.ts';
import { json2Path, json2Result } from './json2.ts';
import { type JsonRpcService, jsonRpcBody, jsonRpcResult } from './jsonrpc.ts';
import { defaultPace, type OdooPace, Pacer } from './pace.ts';
import { createTransport, type Transport } from './transport.ts';
import type { OdooRow } from './values.ts';
import { type OdooVersion, probeVersion } from './version.ts';

export interface OdooSettings {
  readonly url: string;
  /** Left out: the only one that there is. */
  readonly database?: string | undefined;
  /** Needed with a password; an API key of 19 and later knows whose it is. */
  readonly login?: string | undefined;
  /** An API key, or the password of the login. */
  readonly secret: string;
  readonly pace?: OdooPace | undefined;
  /** 30 s when left out. */
  readonly timeoutMs?: number | undefined;
  /** 64 MiB when left out. */
  readonly maxBytes?: number | undefined;
}

/** A call as it is counted: nothing of what was sent or answered. */
export interface OdooCall {
  readonly protocol: 'json2' | 'jsonrpc';
  readonly model: string;
  readonly method: string;
  /** From its turn to the end of its answer. */
  readonly ms: number;
  /** `ok`, or the code of the error. */
  readonly outcome: string;
}

export interface OdooDeps {
  readonly onCall?: (call: OdooCall) => void;
}

type Context = Readonly<Record<string, unknown>>;
export interface CallOptions {
  readonly context?: Context | undefined;
  readonly signal?: AbortSignal | undefined;
  /** It may be sent again when no answer came; only for what changes nothing, or the same again. */
  readonly again?: boolean | undefined;
}

/** One condition of a domain, or an operator before its operands. */
export type Domain = readonly (readonly [string, string, unknown] | '&' | '|' | '!')[];

export interface SearchRead {
  readonly domain: Domain;
  readonly fields: readonly string[];
  readonly order?: string;
  readonly limit?: number;
  readonly offset?: number;
}

/** What `fields_get` says of a field. */
export const fieldInfo = z.object({
  type: z.string(),
  string: z.string().default(''),
  store: z.boolean().optional(),
  relation: z.string().optional(),
  selection: z.array(z.tuple([z.union([z.string(), z.number(), z.boolean()]), z.string()])).optional(),
});
export type FieldInfo = z.infer<typeof fieldInfo>;

const rows = z.array(z.looseObject({ id: z.int() }));
const READ_FIELDS = ['type', 'string', 'store', 'relation', 'selection'];

/** An Odoo that one is signed in to. All methods throw an OdooError. */
export interface Odoo {
  readonly url: string;
  readonly database: string | undefined;
  readonly version: OdooVersion;
  readonly protocol: 'json2' | 'jsonrpc';
  /** Of the user that the credential belongs to. */
  readonly uid: number;
  /** The clock of the server, by its answers. */
  readonly clock: ServerClock;
  /** Calls a method with named arguments, `ids` the records of it; null when it returns nothing. */
  call(
    model: string,
    method: string,
    args?: Readonly<Record<string, unknown>>,
    options?: CallOptions,
  ): Promise<unknown>;
  searchRead(model: string, search: SearchRead, options?: CallOptions): Promise<OdooRow[]>;
  /** The records that there are of these; many2one fields are bare ids. */
  read(
    model: string,
    ids: readonly number[],
    fields: readonly string[],
    options?: CallOptions,
  ): Promise<OdooRow[]>;
  searchCount(model: string, domain: Domain, options?: CallOptions): Promise<number>;
  /** The fields of a model; undefined when there is no such model. */
  fieldsGet(model: string, options?: CallOptions): Promise<ReadonlyMap<string, FieldInfo> | undefined>;
  /** May the user do this with the model at all? */
  mayAccess(model: string, operation: 'read' | 'write' | 'create' | 'unlink'): Promise<boolean>;
}

/**
 * Signs in: finds the version, the database and the protocol. `/json/2` is used from 19 on with an API key, `/jsonrpc` before
 * it and with a password. Throws an OdooError: 'odoo.credentials' when Odoo does not take the secret.
 */
export async function connectOdoo(settings: OdooSettings, deps: OdooDeps = {}): Promise<Odoo> {
  const send = createTransport({
    url: settings.url,
    timeoutMs: settings.timeoutMs ?? 30_000,
    maxBytes: settings.maxBytes ?? 64 * 1024 * 1024,
  });
  const clock = new ServerClock();
  const transport: Transport = async (where, request, signal) => {
    const reply = await send(where, request, signal);
    clock.note(reply.headers.get('date'));
    return reply;
  };
  const pacer = new Pacer(settings.pace ?? defaultPace(settings.url));
  const version = await pacer.run(() => probeVersion(transport), { again: true });
  const parts = { settings, deps, transport, pacer, version, clock };
  if (version.major >= 19) {
    const found = await new Json2Odoo(parts).signIn().catch((error: unknown) => {
      // A password is no key, and a proxy may know one of the two ways only.
      const isOther =
        error instanceof OdooError && ['odoo.credentials', 'odoo.protocol'].includes(error.code);
      if (!isOther || settings.login === undefined) throw error;
      return undefined;
    });
    if (found) return found;
  }
  return await new JsonRpcOdoo(parts).signIn();
}

interface Parts {
  readonly settings: OdooSettings;
  readonly deps: OdooDeps;
  readonly transport: Transport;
  readonly pacer: Pacer;
  readonly version: OdooVersion;
  readonly clock: ServerClock;
}

const tracer = trace.getTracer('closewatch');

/** What both protocols share: everything but how one call is written and read. */
abstract class SignedIn implements Odoo {
  readonly url: string;
  readonly version: OdooVersion;
  readonly clock: ServerClock;
  abstract readonly protocol: 'json2' | 'jsonrpc';
  protected readonly parts: Parts;
  database: string | undefined;
  uid = 0;

  constructor(parts: Parts) {
    this.parts = parts;
    this.url = parts.settings.url;
    this.database = parts.settings.database;
    this.version = parts.version;
    this.clock = parts.clock;
  }

  protected abstract send(
    model: string,
    method: string,
    args: Readonly<Record<string, unknown>>,
    signal: AbortSignal | undefined,
  ): Promise<unknown>;

  async call(
    model: string,
    method: string,
    args: Readonly<Record<string, unknown>> = {},
    { context, signal, again = false }: CallOptions = {},
  ): Promise<unknown> {
    const all = context === undefined ? args : { ...args, context };
    return await this.parts.pacer.run(
      () => this.#measured(model, method, () => this.send(model, method, all, signal)),
      { again, signal },
    );
  }

  /** A span and a count for each attempt, with the model and the method and nothing else. */
  async #measured<T>(model: string, method: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    const span = tracer.startSpan(`odoo ${method}`, {
      kind: SpanKind.CLIENT,
      attributes: { 'rpc.system.name': 'odoo', 'rpc.method': `${model}/${method}` },
    });
    let outcome = 'ok';
    try {
      return await work();
    } catch (error) {
      outcome = error instanceof OdooError ? error.code : 'internal';
      span.setAttribute('error.type', outcome);
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
      const { protocol } = this;
      this.parts.deps.onCall?.({ protocol, model, method, ms: performance.now() - started, outcome });
    }
  }

  async searchRead(model: string, search: SearchRead, options: CallOptions = {}): Promise<OdooRow[]> {
    return this.#rows(
      await this.call(model, 'search_read', { ...search, load: null }, { again: true, ...options }),
      model,
    );
  }

  async read(
    model: string,
    ids: readonly number[],
    fields: readonly string[],
    options: CallOptions = {},
  ): Promise<OdooRow[]> {
    if (ids.length === 0) return [];
    const args = { ids, fields, load: null };
    return this.#rows(await this.call(model, 'read', args, { again: true, ...options }), model);
  }

  #rows(answer: unknown, model: string): OdooRow[] {
    const parsed = rows.safeParse(answer);
    if (!parsed.success) throw new OdooError('odoo.protocol', `${model}: what came are no records`);
    return parsed.data;
  }

  async searchCount(model: string, domain: Domain, options: CallOptions = {}): Promise<number> {
    const count = await this.call(model, 'search_count', { domain }, { again: true, ...options });
    if (typeof count !== 'number')
      throw new OdooError('odoo.protocol', `${model}: a count came as no number`);
    return count;
  }

  async fieldsGet(
    model: string,
    options: CallOptions = {},
  ): Promise<ReadonlyMap<string, FieldInfo> | undefined> {
    try {
      const args = { attributes: READ_FIELDS };
      const answer = await this.call(model, 'fields_get', args, { again: true, ...options });
      return new Map(Object.entries(z.record(z.string(), fieldInfo).parse(answer)));
    } catch (error) {
      if (error instanceof z.ZodError)
        throw new OdooError('odoo.protocol', `${model}: what came are no fields`);
      // `fields_get` itself refuses nothing: a refusal is that of a model that is not there.
      if (error instanceof OdooError && ['odoo.refused', 'odoo.unsupported'].includes(error.code))
        return undefined;
      throw error;
    }
  }

  async mayAccess(model: string, operation: 'read' | 'write' | 'create' | 'unlink'): Promise<boolean> {
    const { major } = this.version;
    const answer =
      major >= 18
        ? await this.call(model, 'has_access', { ids: [], operation }, { again: true })
        : await this.call(
            model,
            'check_access_rights',
            { operation, raise_exception: false },
            { again: true },
          );
    return answer === true;
  }
}

/** `/json/2`: a bearer key, named arguments, bare results. */
class Json2Odoo extends SignedIn {
  readonly protocol = 'json2';

  protected async send(
    model: string,
    method: string,
    args: Readonly<Record<string, unknown>>,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    const where = `${model}.${method}`;
    const headers = {
      authorization: `bearer ${this.parts.settings.secret}`,
      ...(this.database === undefined ? {} : { 'x-odoo-database': this.database }),
    };
    const request = {
      method: 'POST',
      path: json2Path(model, method),
      headers,
      body: JSON.stringify(args),
    } as const;
    return json2Result(where, await this.parts.transport(where, request, signal));
  }

  async signIn(): Promise<this> {
    const context = z.object({ uid: z.int().optional() }).loose();
    const told = context.safeParse(await this.call('res.users', 'context_get', {}, { again: true }));
    if (!told.success) throw new OdooError('odoo.protocol', 'res.users.context_get: no context came');
    this.uid = told.data.uid ?? (await this.#ownId());
    return this;
  }

  /** By the login, where the context does not say it. */
  async #ownId(): Promise<number> {
    const { login } = this.parts.settings;
    const found = login
      ? await this.searchRead('res.users', { domain: [['login', '=', login]], fields: ['id'], limit: 1 })
      : [];
    return found[0]?.id ?? 0;
  }
}

/** `/jsonrpc`: the database, the user and the secret in each call, `execute_kw`. */
class JsonRpcOdoo extends SignedIn {
  readonly protocol = 'jsonrpc';
  #calls = 0;

  async #post(
    where: string,
    service: JsonRpcService,
    method: string,
    args: readonly unknown[],
    signal?: AbortSignal,
  ): Promise<unknown> {
    const body = jsonRpcBody(service, method, args, ++this.#calls);
    return jsonRpcResult(
      where,
      await this.parts.transport(where, { method: 'POST', path: '/jsonrpc', body }, signal),
    );
  }

  protected async send(
    model: string,
    method: string,
    { ids, ...named }: Readonly<Record<string, unknown>>,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    const positional = ids === undefined ? [] : [ids];
    const args = [this.database, this.uid, this.parts.settings.secret, model, method, positional, named];
    return await this.#post(`${model}.${method}`, 'object', 'execute_kw', args, signal);
  }

  async signIn(): Promise<this> {
    const { login, secret } = this.parts.settings;
    if (login === undefined)
      throw new OdooError('odoo.credentials', `Odoo ${this.version.series} needs a login beside the secret`);
    this.database ??= await this.#onlyDatabase();
    const args = [this.database, login, secret, {}];
    const uid = await this.parts.pacer.run(
      () => this.#post('common.authenticate', 'common', 'authenticate', args),
      { again: true },
    );
    if (typeof uid !== 'number')
      throw new OdooError(
        'odoo.credentials',
        'common.authenticate: Odoo does not take this login with this secret',
      );
    this.uid = uid;
    return this;
  }

  async #onlyDatabase(): Promise<string> {
    const names = await this.parts.pacer
      .run(() => this.#post('db.list', 'db', 'list', []), { again: true })
      .catch(() => undefined);
    const [name, ...others] = z.array(z.string()).catch([]).parse(names);
    if (name !== undefined && others.length === 0) return name;
    const known =
      name === undefined ? 'Odoo does not tell its databases' : `it has ${[name, ...others].join(', ')}`;
    throw new OdooError('odoo.database', `which database? ${known}: name one`);
  }
}

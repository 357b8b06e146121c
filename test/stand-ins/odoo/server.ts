import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OdooDatabase, type Raised } from './database.ts';
import type { Row } from './domain.ts';
import type { FieldDef } from './models.ts';

/** Who may sign in: by the password or the key; `rights` as the groups of Odoo grant them. */
export interface StandInUser {
  readonly login: string;
  readonly secret: string;
  /** `settings` may all; `accountant` reads the books, and neither tracking values nor fields; `reader` those too. */
  readonly rights: 'settings' | 'accountant' | 'reader' | 'employee' | 'groups';
  /** Of one that was made in it. */
  readonly id?: number;
  readonly lang?: string;
}

const RESTRICTED: ReadonlySet<string> = new Set([
  'mail.tracking.value',
  'ir.model',
  'ir.model.fields',
  'ir.model.access',
  'ir.rule',
  'base.automation',
  'ir.actions.server',
]);
const FOR_EVERYBODY: ReadonlySet<string> = new Set([
  'res.users.apikeys',
  'res.users',
  'res.partner',
  'res.company',
  'res.currency',
  'mail.message',
]);
const OPERATIONS: Readonly<Record<string, string>> = {
  create: 'create',
  write: 'write',
  unlink: 'unlink',
  action_post: 'write',
  requeue: 'write',
  run: 'write',
  activity_schedule: 'write',
  message_post: 'write',
};
const LANGUAGES = [
  ['en_US', 'English (US)'],
  ['de_DE', 'German / Deutsch'],
];

/** An Odoo that speaks the wire of a version, with what really happens behind it: rights, transactions, chatter. */
export class OdooStandIn {
  readonly db: OdooDatabase;
  readonly #users: readonly StandInUser[];
  readonly #server: Server;
  /** Calls that were answered, `account.move/search_read`. */
  readonly calls: string[] = [];
  /** Requests of automation rules that are under way, and were. */
  readonly hooks: Promise<number>[] = [];
  /** Answers a call in its own way; undefined leaves it to the stand-in. */
  answer: ((model: string, method: string, args: Readonly<Record<string, unknown>>) => unknown) | undefined;
  /** How long an answer of so many records takes, milliseconds. */
  delayOf: ((records: number) => number) | undefined;
  /** The next call of this method is done, and its answer lost. */
  swallow: string | undefined;
  /** Entries that a dialogue stands before. */
  readonly refusesPosting = new Set<number>();
  /** It answers nothing but 503 while this is set. */
  isDown = false;

  constructor(major: number, users: readonly StandInUser[], now?: () => Date, without?: ReadonlySet<string>) {
    this.db = new OdooDatabase(major, now, without);
    this.db.send = (url, body) => {
      const request = {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      };
      // A receiver that fails is only logged.
      this.hooks.push(
        fetch(url, request).then(
          ({ status }) => status,
          () => 0,
        ),
      );
    };
    this.#users = users;
    this.db.transaction(1, (tx) => {
      const usd = tx.create('res.currency', { name: 'USD', decimal_places: 2 });
      tx.create('res.company', { name: 'YourCompany', currency_id: usd });
      for (const { login, lang } of users) {
        const partner = tx.create('res.partner', { name: login });
        tx.create('res.users', {
          name: login,
          login,
          partner_id: partner,
          company_ids: [1],
          ...(lang ? { lang } : {}),
        });
      }
    });
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Those that it was made with, and those that were made in it, with their passwords. */
  get #known(): StandInUser[] {
    const made = this.db
      .rows('res.users')
      .flatMap(({ id, login, password }): StandInUser[] =>
        password ? [{ login: String(login), secret: String(password), rights: 'groups', id }] : [],
      );
    return [...this.#users, ...made];
  }

  /** As the groups of a user grant it; everybody who may sign in reads what everybody has to. */
  #may(user: StandInUser, model: string, operation: string): boolean {
    if (user.rights === 'settings') return true;
    if (user.rights === 'employee' || (operation !== 'read' && user.rights !== 'groups')) return false;
    if (user.rights === 'reader') return true;
    if (user.rights === 'accountant') return !RESTRICTED.has(model);
    if (operation === 'read' && FOR_EVERYBODY.has(model)) return true;
    const row = this.db.row('res.users', user.id ?? 0);
    const groups = (row?.groups_id ?? row?.group_ids ?? []) as number[];
    return this.db.rows('ir.model.access').some((access) => {
      const isOf = this.db.row('ir.model', Number(access.model_id))?.model === model;
      return isOf && groups.includes(Number(access.group_id)) && access[`perm_${operation}`] === true;
    });
  }

  /** The id of a user. */
  uid(login: string): number {
    return this.db.rows('res.users').find((user) => user.login === login)?.id ?? 0;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const send = (status: number, body: unknown): void => {
      if (this.swallow !== undefined && this.calls.at(-1) === this.swallow) {
        this.swallow = undefined;
        response.destroy();
        return;
      }
      response.writeHead(status, {
        'content-type': 'application/json; charset=utf-8',
        date: this.db.now().toUTCString(),
      });
      response.end(JSON.stringify(body));
    };
    if (this.isDown) {
      response.writeHead(503, { 'content-type': 'text/html' }).end('<h1>Service Unavailable</h1>');
      return;
    }
    const delay = this.delayOf;
    const slowly = (status: number, body: unknown): void => {
      const result = (body as { result?: unknown } | null)?.result ?? body;
      if (delay) setTimeout(() => send(status, body), delay(Array.isArray(result) ? result.length : 0));
      else send(status, body);
    };
    const path = request.url ?? '';
    const text = Buffer.concat(pieces).toString();
    const json2 = /^\/json\/2\/([^/]+)\/([^/]+)$/.exec(path);
    if (path === '/jsonrpc') slowly(200, this.#jsonRpc(JSON.parse(text)));
    else if (json2 && this.db.major >= 19)
      slowly(...this.#json2(decodeURIComponent(json2[1] ?? ''), json2[2] ?? '', JSON.parse(text), request));
    else if (json2 && this.db.major === 18)
      response.writeHead(303, { location: '/web/login', 'content-type': 'text/html' }).end('Redirecting');
    else response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not Found</h1>');
  }

  #jsonRpc({
    id,
    params,
  }: {
    id: number;
    params: { service: string; method: string; args: unknown[] };
  }): object {
    try {
      const result = this.#service(params.service, params.method, params.args);
      return result === null ? { jsonrpc: '2.0', id } : { jsonrpc: '2.0', id, result };
    } catch (error) {
      const { name, message } = raisedOf(error);
      const code = this.db.major >= 19 ? 0 : 200;
      const data = {
        name,
        message,
        arguments: [message],
        context: {},
        debug: 'Traceback (most recent call last)…',
      };
      return { jsonrpc: '2.0', id, error: { code, message: 'Odoo Server Error', data } };
    }
  }

  #service(service: string, method: string, args: unknown[]): unknown {
    const { major } = this.db;
    if (service === 'common' && method === 'version')
      return {
        server_version: `${major}.0-20251001`,
        server_version_info: [major, 0, 0, 'final', 0, ''],
        server_serie: `${major}.0`,
        protocol_version: 1,
      };
    if (service === 'db') return ['acme'];
    if (service === 'common') {
      const user = this.#known.find(({ login, secret }) => login === args[1] && secret === args[2]);
      return user ? this.uid(user.login) : false;
    }
    const [, uid, secret, model, name, positional, named] = args as [
      string,
      number,
      string,
      string,
      string,
      unknown[],
      Record<string, unknown>,
    ];
    const user = this.#known.find((one) => this.uid(one.login) === uid && one.secret === secret);
    if (!user) throw { name: 'odoo.exceptions.AccessDenied', message: 'Access Denied' };
    return this.#execute(user, model, name, {
      ...named,
      ...(positional.length > 0 ? { ids: positional[0] } : {}),
    });
  }

  #json2(
    model: string,
    method: string,
    args: Record<string, unknown>,
    { headers }: IncomingMessage,
  ): [status: number, body: unknown] {
    const user = this.#users.find(({ secret }) => headers.authorization === `bearer ${secret}`);
    const fail = (status: number, { name, message }: Raised): [number, unknown] => [
      status,
      { name, message, arguments: [message], context: {}, debug: 'Traceback (most recent call last)…' },
    ];
    if (!user) return fail(401, { name: 'werkzeug.exceptions.Unauthorized', message: 'Invalid apikey' });
    try {
      return [200, this.#execute(user, model, method, args)];
    } catch (error) {
      const raised = raisedOf(error);
      if (raised.message.startsWith('Object '))
        return fail(404, {
          name: 'werkzeug.exceptions.NotFound',
          message: `the model '${model}' does not exist`,
        });
      const status = /AccessError/.test(raised.name) ? 403 : /MissingError/.test(raised.name) ? 404 : 422;
      return fail(/builtins/.test(raised.name) ? 500 : status, raised);
    }
  }

  /** One method of a model, as `user`, in a transaction of its own. */
  #execute(user: StandInUser, model: string, method: string, args: Record<string, unknown>): unknown {
    this.calls.push(`${model}/${method}`);
    const own = this.answer?.(model, method, args);
    if (own !== undefined) return own;
    if (model === 'res.lang' && method === 'get_installed') return LANGUAGES;
    if (method === 'context_get') return { lang: user.lang ?? 'en_US', tz: 'UTC', uid: this.uid(user.login) };
    const { fields, name } = this.db.model(model);
    const { context = {} } = args as { context?: Record<string, unknown> };
    if (method === 'fields_get') return this.#fieldsGet(fields, context, args.attributes as string[]);
    if (method === 'has_access' || method === 'check_access_rights')
      return this.#may(user, model, String(args.operation));
    const operation = OPERATIONS[method] ?? 'read';
    if (!this.#may(user, model, operation))
      throw {
        name: 'odoo.exceptions.AccessError',
        message: `You are not allowed to ${operation === 'read' ? 'access' : 'modify'} '${name}' (${model}) records.`,
      };
    const uid = this.uid(user.login);
    const ids = (args.ids ?? []) as number[];
    const show = (rows: readonly Row[]) =>
      rows.map((row) =>
        shown(row, fields, (args.fields ?? Object.keys(fields)) as string[], args.load !== null),
      );
    switch (method) {
      case 'search_read':
      case 'search': {
        const all = this.db.search(
          model,
          (args.domain ?? []) as unknown[],
          (args.order ?? 'id') as string,
          context.active_test !== false,
        );
        const offset = Number(args.offset ?? 0);
        const some = all.slice(offset, args.limit ? offset + Number(args.limit) : undefined);
        return method === 'search' ? some.map(({ id }) => id) : show(some);
      }
      case 'search_count':
        return this.db.search(model, args.domain as unknown[], 'id', context.active_test !== false).length;
      case 'read':
        return show(ids.flatMap((id) => this.db.row(model, id) ?? []));
      case 'create': {
        const list = args.vals_list as Record<string, unknown>[] | Record<string, unknown>;
        const made = this.db.transaction(uid, (tx) =>
          [list].flat().map((values) => tx.create(model, withoutCommands(values))),
        );
        return Array.isArray(list) ? made : made[0];
      }
      case 'write':
        this.db.transaction(uid, (tx) =>
          tx.write(model, ids, withoutCommands(args.vals as Record<string, unknown>)),
        );
        return true;
      case 'read_group':
      case 'formatted_read_group': {
        const found = this.db.search(model, args.domain as unknown[]);
        return [...Map.groupBy(found, ({ account_id }) => account_id)].map(([account, own]) => {
          const sum = own.reduce((total, { balance }) => total + Number(balance), 0);
          return {
            account_id: [account, `Account ${account}`],
            [method === 'read_group' ? 'balance' : 'balance:sum']: sum,
          };
        });
      }
      case 'action_post':
        for (const id of ids)
          if (this.db.row(model, id)?.state === 'posted')
            throw { name: 'odoo.exceptions.UserError', message: 'The entry is already posted.' };
        if (ids.some((id) => this.refusesPosting.has(id))) return { type: 'ir.actions.act_window' };
        this.db.transaction(uid, (tx) => tx.write(model, ids, { state: 'posted' }));
        return false;
      case 'activity_schedule': {
        const { summary, note, user_id, date_deadline } = args;
        this.db.transaction(uid, (tx) => {
          for (const res_id of ids)
            tx.create('mail.activity', { res_model: model, res_id, summary, note, user_id, date_deadline });
        });
        // A record is no JSON.
        return 'mail.activity(1,)';
      }
      case 'run': {
        const id = Number(context.active_id);
        for (const action of ids.flatMap((one) => this.db.row(model, one) ?? []))
          this.db.send(String(action.webhook_url), {
            _action: action.name,
            _id: id,
            _model: context.active_model,
          });
        return false;
      }
      case 'requeue':
        this.db.transaction(uid, (tx) => tx.write(model, ids, { state: 'pending', retry: 0 }));
        return null;
      case 'message_post': {
        const made = this.db.transaction(uid, (tx) =>
          ids.map((id) => tx.note(model, id, String(args.body), 'comment')),
        );
        return made[0];
      }
      case 'unlink':
        this.db.transaction(uid, (tx) => tx.unlink(model, ids));
        return true;
      default:
        throw {
          name: 'builtins.AttributeError',
          message: `The method '${model}.${method}' does not exist`,
        };
    }
  }

  #fieldsGet(
    fields: Readonly<Record<string, FieldDef>>,
    { lang }: { lang?: unknown },
    attributes: readonly string[],
  ): object {
    const info = ({ type, label, relation, selection }: FieldDef) => ({
      type,
      string: label,
      store: true,
      ...(relation ? { relation } : {}),
      ...(selection
        ? {
            selection: selection.map(([value, text, german]) => [
              value,
              lang === 'de_DE' ? (german ?? text) : text,
            ]),
          }
        : {}),
    });
    return Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [
        name,
        Object.fromEntries(Object.entries(info(field)).filter(([key]) => attributes.includes(key))),
      ]),
    );
  }
}

/** `[6, 0, ids]` names the records of a many2many. */
function withoutCommands(values: Record<string, unknown>): Record<string, unknown> {
  const plain = Object.entries(values).map(([name, value]) => {
    const isCommands = Array.isArray(value) && value.length > 0 && value.every((one) => Array.isArray(one));
    return [name, isCommands ? (value as [number, number, number[]][]).flatMap(([, , ids]) => ids) : value];
  });
  return Object.fromEntries(plain);
}

function raisedOf(error: unknown): Raised {
  if (error instanceof Error) throw error;
  return error as Raised;
}

/** A record as a read gives it: instants cut to seconds, references with a name unless `load` is null. */
function shown(
  row: Row,
  fields: Readonly<Record<string, FieldDef>>,
  asked: readonly string[],
  withNames: boolean,
): Record<string, unknown> {
  const all = asked.map((name) => {
    const field = fields[name];
    if (!field) throw { name: 'builtins.ValueError', message: `Invalid field '${name}' on model` };
    const value = row[name];
    if (field.type === 'datetime' && typeof value === 'string') return [name, value.slice(0, 19)];
    if (field.type === 'many2one' && typeof value === 'number' && withNames)
      return [name, [value, `${field.label} ${value}`]];
    return [name, value];
  });
  return { id: row.id, ...Object.fromEntries(all) };
}

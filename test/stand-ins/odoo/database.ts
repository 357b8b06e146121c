import { matches, type Row, sorted } from './domain.ts';
import { type FieldDef, type ModelDef, modelsOfStandIn } from './models.ts';

/** What Odoo raises: the name of its exception, and its text. */
export interface Raised {
  readonly name: string;
  readonly message: string;
}
const raise = (name: string, message: string): never => {
  throw { name, message } satisfies Raised;
};

type Values = Record<string, unknown>;

/** The records of an Odoo, with transactions as its database has them, and the chatter that it keeps. */
export class OdooDatabase {
  readonly major: number;
  readonly models: ReadonlyMap<string, ModelDef>;
  readonly #rows = new Map<string, Map<number, Row>>();
  readonly #ids = new Map<string, number>();
  /** What time it is there. */
  now: () => Date;
  /** Is the audit log of entries kept? From 18 on it can be. */
  isAudited = true;
  /** Sends what an automation rule tells, to an address. */
  send: (url: string, body: object) => void = () => {};
  #lastMicros = 0;

  constructor(major: number, now: () => Date = () => new Date(), without: ReadonlySet<string> = new Set()) {
    this.major = major;
    this.now = now;
    this.models = modelsOfStandIn(major, without);
    for (const model of this.models.keys()) this.#rows.set(model, new Map());
    this.transaction(1, (tx) => {
      const internal = tx.create('res.groups', { name: 'User types / Internal User' });
      tx.create('ir.model.data', {
        module: 'base',
        name: 'group_user',
        model: 'res.groups',
        res_id: internal,
      });
      for (const [model, { name }] of this.models) tx.create('ir.model', { model, name });
      for (const [model, { fields }] of this.models)
        for (const [name, field] of Object.entries(fields))
          tx.create('ir.model.fields', {
            model,
            name,
            ttype: field.type,
            field_description: field.label,
            tracking: field.tracked ? 100 : 0,
          });
    });
  }

  /** `2026-11-22 10:57:00.123456`, as the database stamps a transaction that begins: no two alike. */
  stamp(): string {
    const micros = this.now().getTime() * 1000;
    const isNear = Math.abs(micros - this.#lastMicros) < 1000;
    this.#lastMicros = isNear ? Math.max(micros, this.#lastMicros + 1) : micros;
    const text = new Date(Math.floor(this.#lastMicros / 1000)).toISOString().slice(0, 23).replace('T', ' ');
    return `${text}${String(this.#lastMicros % 1000).padStart(3, '0')}`;
  }

  model(name: string): ModelDef {
    return this.models.get(name) ?? raise('odoo.exceptions.UserError', `Object ${name} doesn't exist`);
  }

  nextId(model: string): number {
    const id = (this.#ids.get(model) ?? 0) + 1;
    this.#ids.set(model, id);
    return id;
  }

  row(model: string, id: number): Row | undefined {
    return this.#rows.get(model)?.get(id);
  }

  rows(model: string): Row[] {
    this.model(model);
    return [...(this.#rows.get(model)?.values() ?? [])];
  }

  /** Those that match, with the archived ones left out unless they are asked for. */
  search(model: string, domain: readonly unknown[], order = 'id', activeTest = true): Row[] {
    const { fields } = this.model(model);
    const instants = new Set(Object.keys(fields).filter((name) => fields[name]?.type === 'datetime'));
    const isAsked = domain.some((part) => Array.isArray(part) && part[0] === 'active');
    const found = this.rows(model).filter(
      (row) => (isAsked || !activeTest || row.active !== false) && matches(row, domain, instants, this.major),
    );
    return sorted(found, order);
  }

  /** Does `work` at once, in a transaction of its own that is seen when it has ended. */
  transaction<T>(uid: number, work: (tx: Transaction) => T): T {
    const tx = new Transaction(this, uid);
    const result = work(tx);
    tx.commit();
    return result;
  }

  /** A transaction that its caller commits, or forgets, later. */
  begin(uid: number): Transaction {
    return new Transaction(this, uid);
  }

  put(model: string, row: Row): void {
    this.#rows.get(model)?.set(row.id, row);
  }

  remove(model: string, id: number): void {
    this.#rows.get(model)?.delete(id);
  }
}

/** Changes that nobody else sees until `commit`: stamped with the time at which it began, tracked as Odoo does. */
export class Transaction {
  readonly #db: OdooDatabase;
  readonly #uid: number;
  readonly #at: string;
  readonly #written = new Map<string, Map<number, Row>>();
  readonly #removed: [string, number][] = [];
  #areHooksSent = false;
  /** What tracked fields were when the transaction began, by record. */
  readonly #before = new Map<string, { model: string; id: number; values: Values; isNew: boolean }>();

  constructor(db: OdooDatabase, uid: number) {
    this.#db = db;
    this.#uid = uid;
    this.#at = db.stamp();
  }

  get at(): string {
    return this.#at;
  }

  /** As this transaction sees it. */
  row(model: string, id: number): Row {
    const row = this.#written.get(model)?.get(id) ?? this.#db.row(model, id);
    return (
      row ??
      raise('odoo.exceptions.MissingError', `Record does not exist or has been deleted. (${model}, ${id})`)
    );
  }

  create(model: string, values: Values): number {
    const { fields } = this.#db.model(model);
    const id = this.#db.nextId(model);
    const empty = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, emptyOf(field)]));
    const stamps = {
      create_uid: this.#uid,
      create_date: this.#at,
      write_uid: this.#uid,
      write_date: this.#at,
    };
    this.#put(model, { ...empty, ...known(model, fields, values), ...stamps, id });
    this.#before.set(`${model}/${id}`, { model, id, values: {}, isNew: true });
    return id;
  }

  write(model: string, ids: readonly number[], values: Values): void {
    const { fields } = this.#db.model(model);
    for (const id of ids) {
      const row = this.row(model, id);
      const key = `${model}/${id}`;
      if (!this.#before.has(key)) this.#before.set(key, { model, id, values: { ...row }, isNew: false });
      this.#put(model, {
        ...row,
        ...known(model, fields, values),
        ...(model === 'account.move' && row.state === 'posted' ? { posted_before: true } : {}),
        write_uid: this.#uid,
        write_date: this.#at,
        id,
      });
    }
  }

  unlink(model: string, ids: readonly number[]): void {
    for (const id of ids) {
      this.row(model, id);
      this.#written.get(model)?.delete(id);
      this.#before.delete(`${model}/${id}`);
      this.#removed.push([model, id]);
    }
  }

  /** A note that nothing tracked stands behind, such as "Vendor Bill Created". */
  note(model: string, id: number, body: string, type = 'notification'): number {
    return this.create('mail.message', {
      date: `${this.#at.slice(0, 19)}`,
      message_type: type,
      author_id: this.#authorOf(),
      body,
      model,
      res_id: id,
    });
  }

  /** Up to 18 rules fire within the transaction: what they tell is not there yet, and may never be. */
  sendHooks(): void {
    if (this.#areHooksSent) return;
    this.#areHooksSent = true;
    for (const rule of this.#db.rows('base.automation')) {
      const model = String(this.#db.row('ir.model', Number(rule.model_id))?.model);
      for (const id of this.#firedBy(rule, model))
        for (const action of this.#db.rows('ir.actions.server')) {
          if (action.base_automation_id !== rule.id) continue;
          this.#db.send(String(action.webhook_url), {
            _action: `${action.name}(#${action.id})`,
            _id: id,
            _model: model,
          });
        }
    }
  }

  #firedBy(rule: Row, model: string): number[] {
    if (rule.trigger === 'on_unlink')
      return this.#removed.flatMap(([name, id]) => (name === model ? [id] : []));
    const names = ((rule.trigger_field_ids || []) as number[]).map(
      (id) => this.#db.row('ir.model.fields', id)?.name,
    );
    return [...this.#before.values()].flatMap(({ model: name, id, values, isNew }) => {
      if (name !== model) return [];
      const row = this.row(model, id);
      const isTouched =
        names.length === 0 || names.some((field) => values[String(field)] !== row[String(field)]);
      const isBefore = isNew || this.#matches(values as Row, rule.filter_pre_domain);
      return isTouched && isBefore && this.#matches(row, rule.filter_domain) ? [id] : [];
    });
  }

  #matches(row: Row, domain: unknown): boolean {
    const text = String(domain || '[]')
      .replaceAll('(', '[')
      .replaceAll(')', ']')
      .replaceAll("'", '"')
      .replaceAll('True', 'true');
    return matches(row, JSON.parse(text) as unknown[], new Set(), this.#db.major);
  }

  commit(): void {
    this.#track();
    if (this.#db.major <= 18) this.sendHooks();
    this.#store();
    if (this.#db.major >= 19) this.sendHooks();
  }

  #store(): void {
    for (const [model, rows] of this.#written) for (const row of rows.values()) this.#db.put(model, row);
    for (const [model, id] of this.#removed) {
      this.#db.remove(model, id);
      for (const message of this.#db.rows('mail.message'))
        if (message.model === model && message.res_id === id) this.#db.remove('mail.message', message.id);
    }
  }

  /** One message a record, with a value for each tracked field that changed; a new record has its note. */
  #track(): void {
    for (const { model, id, values, isNew } of [...this.#before.values()]) {
      const { fields, creation } = this.#db.model(model);
      if (isNew) {
        if (creation) this.note(model, id, `<p>${creation}</p>`);
        continue;
      }
      const row = this.row(model, id);
      const changed = Object.entries(fields).filter(
        ([name, field]) => field.tracked && JSON.stringify(values[name]) !== JSON.stringify(row[name]),
      );
      if (changed.length === 0) continue;
      // Edits of lines are told by their entry, which is not written for it.
      const message =
        model === 'account.move.line'
          ? this.note('account.move', Number(row.move_id), 'Journal Item updated')
          : this.note(model, id, '');
      const words: string[] = [];
      for (const [name, field] of changed) {
        const [described] = this.#db
          .rows('ir.model.fields')
          .filter((one) => one.model === model && one.name === name);
        this.create('mail.tracking.value', {
          mail_message_id: message,
          field_id: described?.id ?? false,
          ...this.#columns('old', field, values[name]),
          ...this.#columns('new', field, row[name]),
        });
        words.push(`${this.#word(field, values[name])} ⇨ ${this.#word(field, row[name])} (${field.label})`);
      }
      if (this.#db.isAudited && model === 'account.move' && this.#db.major >= 18)
        this.#put('mail.message', {
          ...this.row('mail.message', message),
          account_audit_log_preview: `Updated\n${words.join('\n')}`,
        });
    }
  }

  /** As the audit log has it. */
  #word(field: FieldDef, value: unknown): string {
    if (field.type === 'boolean') return value ? 'True' : 'False';
    if (value === false || value === undefined) return field.type === 'selection' ? '' : 'False';
    if (field.type !== 'selection') return String(value);
    const columns = this.#columns('new', field, value);
    return String(columns.new_value_char);
  }

  /** A choice is kept as its label in the language of whoever writes. */
  #columns(side: 'old' | 'new', field: FieldDef, value: unknown): Values {
    const german = this.#db.row('res.users', this.#uid)?.lang === 'de_DE';
    if (field.type === 'boolean' || field.type === 'integer')
      return { [`${side}_value_integer`]: Number(value) };
    if (field.type === 'many2one') return { [`${side}_value_integer`]: Number(value || 0) };
    if (field.type === 'monetary' || field.type === 'float') return { [`${side}_value_float`]: value };
    if (field.type === 'date') return { [`${side}_value_datetime`]: value ? `${value} 00:00:00` : false };
    if (field.type === 'selection') {
      const [, label, other] = field.selection?.find(([one]) => one === value) ?? [];
      return { [`${side}_value_char`]: (german ? other : undefined) ?? label ?? false };
    }
    return { [`${side}_value_char`]: value };
  }

  #authorOf(): unknown {
    return this.#db.row('res.users', this.#uid)?.partner_id ?? false;
  }

  #put(model: string, row: Row): void {
    const rows = this.#written.get(model) ?? new Map<number, Row>();
    this.#written.set(model, rows.set(row.id, row));
  }
}

const emptyOf = ({ type, default: given }: FieldDef): unknown =>
  given ?? (type === 'integer' || type === 'float' || type === 'monetary' ? 0 : false);

function known(model: string, fields: Readonly<Record<string, FieldDef>>, values: Values): Values {
  for (const name of Object.keys(values))
    if (!(name in fields) && name !== 'lang')
      raise('builtins.ValueError', `Invalid field '${name}' on model '${model}'`);
  return values;
}

import { ClosewatchError, type Problem } from '../../model/errors.ts';
import { nanosOf, parseInstant } from '../../model/time.ts';
import type { ClickHouse } from '../../store/clickhouse/client.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import type { Counters } from '../../store/counters.ts';
import { closeOrphans } from '../../store/forwarder.ts';
import type { Intake } from '../../store/intake/intake.ts';
import type { Logger } from '../../store/logger.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { noteImport, startImport } from '../../store/postgres/imports.ts';
import { closeImported, type ImportedUpTo } from '../../store/postgres/sources.ts';
import { withSpan } from '../../store/tracing.ts';
import { type BankRegister, openBankRegister } from './bank/register.ts';
import { type Blocks, createBlocks } from './blocks.ts';
import { createFactDepot, createInboxDepot, createLogDepot, type Depot } from './depot.ts';
import { Faults } from './faults.ts';
import type { NewEvent } from './item.ts';
import { itemsOf } from './items.ts';
import type { Format } from './map.ts';
import { type ImportRequest, type Prepared, prepare } from './request.ts';

export interface ImportProgress {
  readonly rowsRead: number;
  readonly stored: number;
  readonly known: number;
  readonly skipped: number;
  readonly bad: number;
  readonly bytesRead: number;
  readonly bytesTotal: number;
}

/**
 * `rowsRead` = stored + known + skipped + bad: rows of a log, lines of CloudEvents, facts of a bank statement. Bad rows of
 * the case file are counted apart. In a dry run `stored` is what would be stored.
 */
export interface ImportResult {
  readonly source: string;
  /** What the file was taken for, and by what that was told. */
  readonly format: Format;
  readonly recognisedBy: 'option' | 'content' | 'name';
  readonly rowsRead: number;
  readonly stored: number;
  readonly known: number;
  readonly skipped: number;
  readonly bad: number;
  readonly badCases: number;
  /** How many were bad for which reason, the file of cases included. */
  readonly reasons: Readonly<Record<string, number>>;
  /** The first 20 things that were wrong, and where. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
  readonly seconds: number;
  /** Nothing was stored. */
  readonly dryRun: boolean;
  /** In a dry run the first event as it would be stored. */
  readonly sample?: NewEvent | undefined;
}

export interface ImportDeps {
  readonly postgres: Postgres;
  readonly events: FinanceEventStore;
  /** Reads Parquet. */
  readonly clickhouse?: ClickHouse;
  readonly logger: Logger;
  readonly counters?: Counters;
  /** Where what came and which rows were bad is accounted for. */
  readonly intake?: Intake;
  readonly now?: () => Date;
}

const NOTE_EVERY_MS = 1_000;
/** A block of events that go through the inbox is one transaction of it. */
const INBOX_BLOCK = { rows: 5_000, characters: 16 << 20 };
/** Sources that this process imports just now. */
const busy = new Set<string>();

/**
 * Imports a file as finance events and returns the counts. It streams; blocks of rows are stored one by one under a batch
 * number and a token each. Whatever is stored already is left out, so the same file twice, a longer export of it, or a
 * second run after a kill adds nothing twice. Bad rows are counted and told, not stored. Throws `import.invalid` for a map
 * or file that cannot be used, and with `strict` for a bad row, before anything is stored; `state.conflict` while another
 * import of the source runs.
 */
export async function importEventLog(
  request: ImportRequest,
  deps: ImportDeps,
  onProgress: (progress: ImportProgress) => void = () => {},
): Promise<ImportResult> {
  const prepared = await prepare(request);
  const { source } = prepared;
  if (busy.has(source)) throw new ClosewatchError('state.conflict', `an import of ${source} is running`);
  busy.add(source);
  try {
    const result = await withSpan('import', {}, async () => {
      const isDry = request.dryRun === true;
      if (request.strict) await checkAll(prepared, deps);
      // A file is read again from its beginning.
      const again = request.strict ? await prepare(request) : prepared;
      return await new Run(again, deps, isDry, onProgress).run();
    });
    if (!request.dryRun) {
      countRows(result, deps.counters);
      const { bad, badCases } = result;
      deps.intake?.lost({ source, stream: '', reason: 'bad-row', records: bad });
      deps.intake?.lost({ source, stream: '', reason: 'bad-case', records: badCases });
    }
    return result;
  } finally {
    busy.delete(source);
  }
}

function countRows(result: ImportResult, counters: Counters | undefined): void {
  for (const outcome of ['stored', 'known', 'skipped', 'bad'] as const)
    counters?.add('closewatch_import_rows', { outcome }, result[outcome]);
  counters?.add('closewatch_import_rows', { outcome: 'bad-case' }, result.badCases);
  for (const [reason, count] of Object.entries(result.reasons))
    counters?.add('closewatch_import_bad_rows', { reason }, count);
}

const nowOf = ({ now = () => new Date() }: ImportDeps): (() => Date) => now;

/** The accounts and parties of a bank statement; undefined for other files. Throws when its company or zone is not told. */
async function registerOf(prepared: Prepared, deps: ImportDeps): Promise<BankRegister | undefined> {
  const { reader, company, timezone, journal, source } = prepared;
  if (reader.format !== 'camt' && reader.format !== 'mt940') return undefined;
  if (company === undefined)
    throw new ClosewatchError('import.invalid', `a ${reader.title} does not name the company: say --company`);
  if (timezone === undefined)
    throw new ClosewatchError(
      'import.invalid',
      `booking dates carry no zone: say --timezone, or give ${company} one in companies.yaml`,
    );
  return await openBankRegister(deps, { company, journal, timezone, source });
}

/** Reads everything and stores nothing; throws when a row is bad. */
async function checkAll(prepared: Prepared, deps: ImportDeps): Promise<void> {
  const faults = new Faults();
  const register = await registerOf(prepared, deps);
  const now = nanosOf(nowOf(deps)());
  const reading = { faults, now, clickhouse: deps.clickhouse, bank: register?.options, complete: () => {} };
  for await (const item of itemsOf(prepared, reading)) faults.look(prepared.file.name, item);
  const count = faults.bad + faults.badCases;
  if (count > 0)
    throw new ClosewatchError('import.invalid', `${count} rows are bad; nothing was stored`, {
      problems: faults.problems,
    });
}

/** One import from its first row to its last. */
class Run {
  readonly #prepared: Prepared;
  readonly #deps: ImportDeps;
  readonly #isDry: boolean;
  readonly #onProgress: (progress: ImportProgress) => void;
  readonly #now: () => Date;
  readonly #faults = new Faults();
  #rowsRead = 0;
  #skipped = 0;
  #sample: NewEvent | undefined;
  #completeUpTo: bigint | undefined;

  constructor(
    prepared: Prepared,
    deps: ImportDeps,
    isDry: boolean,
    onProgress: (progress: ImportProgress) => void,
  ) {
    this.#prepared = prepared;
    this.#deps = deps;
    this.#isDry = isDry;
    this.#onProgress = onProgress;
    this.#now = nowOf(deps);
  }

  async run(): Promise<ImportResult> {
    const { postgres, events } = this.#deps;
    const { source, file, mapHash } = this.#prepared;
    const now = this.#now;
    const started = now();
    const register = await registerOf(this.#prepared, this.#deps);
    let id: string | undefined;
    if (!this.#isDry) {
      await closeOrphans({ postgres, events, before: now(), source, now });
      id = await startImport(postgres, { source, fileName: file.name, mapHash, startedAt: started });
    }
    const blocks = await this.#blocks();
    const note = async (ended?: { state: 'done' | 'failed'; at: Date; fileHash?: string | undefined }) => {
      if (id !== undefined) await noteImport(postgres, id, this.#progress(blocks), ended);
    };
    try {
      await this.#readAll(blocks, register, note);
      if (!this.#isDry) {
        await register?.keep();
        await this.#close(blocks);
      }
      await note({ state: 'done', at: now(), fileHash: file.sha256() });
    } catch (error) {
      await note({ state: 'failed', at: now() }).catch(() => {});
      throw error;
    }
    this.#onProgress(this.#progress(blocks));
    return this.#result(blocks, started);
  }

  async #blocks(): Promise<Blocks> {
    const { file, reader } = this.#prepared;
    const depot = await this.#depot();
    return createBlocks(
      depot,
      (refused) => {
        for (const { where, reason, what } of refused)
          this.#faults.add(`${file.name}, ${where}`, reason, what);
      },
      reader.format === 'cloudevents' ? INBOX_BLOCK : undefined,
    );
  }

  async #depot(): Promise<Depot> {
    const { source, reader } = this.#prepared;
    const deps = { ...this.#deps, now: this.#now, isDry: this.#isDry };
    if (reader.format === 'cloudevents') return createInboxDepot(deps, source);
    return reader.hasRows ? await createLogDepot(deps, source) : createFactDepot(deps, source);
  }

  async #readAll(
    blocks: Blocks,
    register: BankRegister | undefined,
    note: () => Promise<void>,
  ): Promise<void> {
    const { file, isLive } = this.#prepared;
    const reading = {
      faults: this.#faults,
      now: nanosOf(this.#now()),
      clickhouse: this.#deps.clickhouse,
      bank: register?.options,
      complete: (upTo: bigint) => {
        this.#completeUpTo = upTo;
      },
    };
    let told = 0;
    for await (const item of itemsOf(this.#prepared, reading)) {
      const { where, result } = item;
      this.#rowsRead++;
      this.#faults.look(file.name, item);
      if ('skipped' in result) this.#skipped++;
      else if ('event' in result) {
        const event: NewEvent = isLive ? { ...result.event, ingestPath: 'push' } : result.event;
        this.#sample ??= event;
        if (await blocks.add({ ...result, event, where })) {
          await note();
          this.#onProgress(this.#progress(blocks));
        }
      }
      if (this.#rowsRead % 1000 === 0 && Date.now() - told > NOTE_EVERY_MS) {
        told = Date.now();
        this.#onProgress(this.#progress(blocks));
      }
    }
    await blocks.flush();
  }

  /** Closes the sources that the file told of. */
  async #close(blocks: Blocks): Promise<void> {
    const upTo = this.#prepared.completeUpTo;
    const at = upTo === 'last-event' ? blocks.lastEventAt() : parseInstant(upTo ?? '');
    let complete: ImportedUpTo = 'without-limit';
    if (upTo !== undefined) complete = { upTo: at ?? 0n };
    else if (this.#completeUpTo !== undefined) complete = { atLeast: this.#completeUpTo };
    await this.#deps.postgres.db
      .transaction()
      .execute((trx) => closeImported(trx, blocks.arrivals(), complete, this.#now()));
    for (const { company, source, events: records, lastEventAt: newest } of blocks.arrivals())
      this.#deps.intake?.arrived({ source, company, stream: '', records, bytes: 0, newest, live: false });
  }

  #progress(blocks: Blocks): ImportProgress {
    const { file } = this.#prepared;
    return {
      rowsRead: this.#rowsRead,
      ...blocks.counts(),
      skipped: this.#skipped,
      bad: this.#faults.bad,
      bytesRead: file.bytesRead(),
      bytesTotal: file.bytesTotal(),
    };
  }

  #result(blocks: Blocks, started: Date): ImportResult {
    const { source, reader, recognisedBy } = this.#prepared;
    const { bytesRead: _, bytesTotal: __, ...counts } = this.#progress(blocks);
    return {
      source,
      format: reader.format,
      recognisedBy,
      ...counts,
      badCases: this.#faults.badCases,
      reasons: this.#faults.reasons,
      problems: this.#faults.problems,
      warnings: this.#faults.notes,
      seconds: Math.round((this.#now().getTime() - started.getTime()) / 10) / 100,
      dryRun: this.#isDry,
      ...(this.#isDry && { sample: this.#sample }),
    };
  }
}

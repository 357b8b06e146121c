import type { ClickHouse } from '../../store/clickhouse/client.ts';
import type { Item } from './item.ts';
import type { LogFile } from './log-file.ts';
import type { Format, ImportMap } from './map.ts';
import type { Row } from './row.ts';

/** What a reader is told beside the file. */
export interface ReadOptions {
  /** Always there for formats of rows. */
  readonly map: ImportMap | undefined;
  readonly source: string;
  /** The columns that are used; undefined: all. */
  readonly columns: ReadonlySet<string> | undefined;
  /** Epoch nanoseconds. */
  readonly now: bigint;
  readonly clickhouse: ClickHouse | undefined;
  readonly bank: BankOptions | undefined;
  /** Tells people something that is no fault of a row. */
  readonly note: (text: string) => void;
  /** Says up to when (epoch nanoseconds) the source is complete at least, where a file is only a part of it. */
  readonly complete: (upTo: bigint) => void;
}

/** What a bank statement does not say itself. */
export interface BankOptions {
  readonly company: string;
  /** The journal of the account in the books. */
  readonly journal: string | undefined;
  /** Zone of booking dates. */
  readonly timezone: string;
  /** A stand-in for an account or party, the same for the same text; nobody without the deployment's key can go back. */
  readonly pseudonym: (kind: 'account' | 'party', text: string) => string;
  /** The statements of an account that are stored: their keys are `account` keys. */
  readonly storedStatements: (accountKey: string) => Promise<readonly StatementFacts[]>;
  /** Called with every party that a line names. */
  readonly party: (party: PartyFacts) => void;
}

/** What of a statement is needed to see whether the next one goes on where it ended. */
export interface StatementFacts {
  readonly id: string;
  readonly number: string;
  readonly currency: string;
  readonly opening: string;
  readonly closing: string;
  /** `2026-05-31`. */
  readonly closingDate: string;
}

export interface PartyFacts {
  readonly partyKey: string;
  readonly name: string | undefined;
  /** Masked. */
  readonly account: string | undefined;
}

/** A format of files: how it is called, how its files are told from others, and how they are read. */
export interface FormatReader {
  readonly format: Format;
  /** As people call it. */
  readonly title: string;
  /** Rows become events by a map; the others are events already and need none. */
  readonly hasRows: boolean;
  /** The header or schema tells all columns: one that is missing is a mistake of the map. */
  readonly hasHeader?: boolean;
  /** Endings of its files' names, without `.gz`. */
  readonly endings: readonly string[];
  /** Does the beginning of the file show it beyond doubt? `isMapped`: the caller says how columns are read. */
  shows(head: Buffer, isMapped: boolean): boolean;
  read(file: LogFile, options: ReadOptions): AsyncIterable<Row | Item>;
}

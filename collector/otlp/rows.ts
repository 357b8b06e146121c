import type { Block } from '../../store/clickhouse/native.ts';
import { TELEMETRY_TABLES, type TelemetryTable } from '../../store/clickhouse/telemetry.ts';
import type { Sink } from './decoder.ts';

/** What an empty block of one more day takes. */
const BLOCK_BYTES = 16 << 10;
const DAYS_AN_INSERT = 90;
/** So many emptied blocks of a table are kept to be filled again. */
const SPARE_BLOCKS = 2;

/** Blocks of one table for one insert. */
export type Insert = readonly [table: TelemetryTable, blocks: Uint8Array<ArrayBuffer>];

/**
 * The rows of requests that are stored together. They are split by the day on which they lie, as the tables are, so that no
 * insert passes ClickHouse's limit of 100 partitions, whatever the age of the records.
 */
export class Rows {
  readonly #blocks = new Map<TelemetryTable, Map<number, Block>>();
  readonly #spare = new Map<TelemetryTable, Block[]>();

  /** Bytes of the rows; close to what they take in memory. */
  get byteLength(): number {
    let bytes = 0;
    for (const block of this.#all()) bytes += block.byteLength + BLOCK_BYTES;
    return bytes;
  }

  /** Runs `append` with the blocks. When it throws, what it appended is taken back and the error passed on. */
  append<R>(append: (sink: Sink) => R): R {
    const before = this.#all();
    for (const block of before) block.save();
    let last: { readonly table: TelemetryTable; readonly day: number; readonly block: Block } | undefined;
    const blockOf = (table: TelemetryTable, day: number): Block => {
      if (last?.day === day && last.table === table) return last.block;
      last = { table, day, block: this.#open(table, day) };
      return last.block;
    };
    try {
      return append({ blockOf } as Sink);
    } catch (error) {
      for (const block of before) block.restore();
      this.#keepOnly(new Set(before));
      throw error;
    }
  }

  /** The rows as inserts, each of as many days as may go into one; there are none afterwards. */
  take(): Insert[] {
    const inserts: Insert[] = [];
    for (const [table, days] of this.#blocks) {
      const blocks = [...days.values()].filter(({ rows }) => rows > 0);
      for (let i = 0; i < blocks.length; i += DAYS_AN_INSERT)
        inserts.push([table, encoded(blocks.slice(i, i + DAYS_AN_INSERT))]);
      this.#putBy(table, blocks);
    }
    this.#blocks.clear();
    return inserts;
  }

  #all(): Block[] {
    return [...this.#blocks.values()].flatMap((days) => [...days.values()]);
  }

  #open(table: TelemetryTable, day: number): Block {
    const days = this.#blocks.get(table) ?? new Map<number, Block>();
    this.#blocks.set(table, days);
    const block = days.get(day) ?? this.#spare.get(table)?.pop() ?? new TELEMETRY_TABLES[table]();
    if (!days.has(day)) block.save();
    days.set(day, block);
    return block;
  }

  #keepOnly(kept: ReadonlySet<Block>): void {
    for (const [table, days] of this.#blocks) {
      for (const [day, block] of days) if (!kept.has(block)) days.delete(day);
      if (days.size === 0) this.#blocks.delete(table);
    }
  }

  #putBy(table: TelemetryTable, blocks: readonly Block[]): void {
    const spare = this.#spare.get(table) ?? [];
    this.#spare.set(table, spare);
    for (const block of blocks.slice(0, SPARE_BLOCKS - spare.length)) {
      block.clear();
      spare.push(block);
    }
  }
}

/** Blocks one behind the other, in memory of their own, which can be handed to another thread. */
function encoded(blocks: readonly Block[]): Uint8Array<ArrayBuffer> {
  const [first, ...others] = blocks.map((block) => block.encode());
  if (first && others.length === 0) return first as Uint8Array<ArrayBuffer>;
  const parts = first ? [first, ...others] : others;
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

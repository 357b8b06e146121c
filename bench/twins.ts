import { KEY_TYPES } from '../model/key.ts';
import type { ClickHouse } from '../store/clickhouse/client.ts';

/** What is cloned, and how. */
export interface TwinsQuestion {
  readonly copies: number;
  /** Those of these batches, (0, upTo]. */
  readonly upTo: number;
  /** The batch of a twin's event: SQL of the original's `Batch` and of `k`, which counts the copies from 0. */
  readonly batch: string;
  /** What tells these twins from others: lower-case letters and digits. */
  readonly tag: string;
}

const typesOf = (test: (one: { scope: string; compare: string }) => boolean): string =>
  Object.entries(KEY_TYPES)
    .filter(([, one]) => test(one))
    .map(([type]) => `'${type}'`)
    .join(', ');

/** A key that is unique in its company needs no other value in another one; the others do. */
const WIDER = typesOf(({ scope }) => scope !== 'company');
const LOOSE = typesOf(({ scope, compare }) => scope !== 'company' && compare === 'loose');

/** The name of the company's twin. */
export const twinOf = (company: string, { tag, k }: { tag: string; k: number }): string =>
  `${company}~${tag}${k}`;

/**
 * Clones stored events, inside the engine, as the history of other companies: other companies, subjects, ids and keys, which join as
 * those of the originals do.
 */
export async function storeTwins(
  clickhouse: ClickHouse,
  { copies, upTo, batch, tag }: TwinsQuestion,
): Promise<void> {
  const tail = `concat('${tag}', toString(k))`;
  const twin = (text: string) => `concat(${text}, ${tail})`;
  const company = `concat(Company, '~', ${tail})`;
  const typeOf = (key: string) => `substring(${key}, 1, position(${key}, ':') - 1)`;
  const joined = (key: string) => `multiIf(
    ${typeOf(key)} IN (${LOOSE}), concat(${key}, upper(${tail})),
    ${typeOf(key)} IN (${WIDER}), ${twin(key)},
    replaceOne(${key}, concat(':', Company, ':'), concat(':', ${company}, ':')))`;
  const named = `${twin('EventId')} AS EventId, ${twin('Subject')} AS Subject, ${batch} AS Batch`;
  // What is read has its own names, for what is put in their place hides them.
  const from = (
    table: string,
  ) => `(SELECT *, Company AS Original FROM ${table} WHERE Batch > 0 AND Batch <= ${upTo}) AS past
    CROSS JOIN (SELECT number AS k FROM numbers(${copies})) AS n SETTINGS max_block_size = 100000`;
  const ofOriginal = (sql: string) => sql.replaceAll('Company', 'Original');
  const other = `${ofOriginal(company)} AS Company`;
  await clickhouse.command(`INSERT INTO finance_events SELECT * EXCEPT (k, Original) REPLACE (${named}, ${other},
      arrayMap((t, v) -> if(t IN (${WIDER}), ${twin('v')}, v), KeyTypes, KeyValues) AS KeyValues,
      arrayMap(j -> ${ofOriginal(joined('j'))}, JoinKeys) AS JoinKeys)
    FROM ${from('finance_events')}`);
  await clickhouse.command(`INSERT INTO event_keys SELECT * EXCEPT (k, Original) REPLACE (${named}, ${other},
      ${ofOriginal(joined('JoinKey'))} AS JoinKey)
    FROM ${from('event_keys')}`);
  await clickhouse.command('OPTIMIZE TABLE finance_events');
  await clickhouse.command('OPTIMIZE TABLE event_keys');
}

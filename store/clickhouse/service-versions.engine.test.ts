import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectClickHouse } from './client.ts';
import { migrate } from './migrate.ts';
import { deploymentsOf } from './service-versions.ts';
import { temporaryEngine } from './testing/temporary.ts';

const MINUTE = 60_000_000_000n;
const START = 1_780_000_000_000_000_000n;
let engine: Awaited<ReturnType<typeof temporaryEngine>>;
let clickhouse: ReturnType<typeof connectClickHouse>;

beforeAll(async () => {
  engine = await temporaryEngine();
  clickhouse = connectClickHouse(engine);
  await migrate(clickhouse);
});
afterAll(async () => {
  await clickhouse.close();
  await engine.remove();
});

/** A span of the service at so many minutes. */
const span = (service: string, version: string, minute: bigint): string =>
  `(fromUnixTimestamp64Nano(${START + minute * MINUTE}), '${service}', map('service.version', '${version}'))`;

test('a version that is seen for the first time after another one is a deployment', async () => {
  const rows = [
    span('tax', '1.0', 0n),
    span('tax', '1.1', 10n),
    span('tax', '1.0', 20n),
    span('bank', '7', 10n),
    span('mail', '', 10n),
    span('other', '1', 0n),
    span('other', '2', 10n),
  ];
  for (const row of rows)
    await clickhouse.command(
      `INSERT INTO otel_traces (Timestamp, ServiceName, ResourceAttributes) SELECT * FROM values(
        'Timestamp DateTime64(9), ServiceName String, Attributes Map(String, String)', ${row})`,
    );
  const found = (from: bigint, to: bigint) =>
    deploymentsOf(clickhouse, ['tax', 'bank', 'mail'], {
      from: START + from * MINUTE,
      to: START + to * MINUTE,
    });
  expect(await found(5n, 15n)).toEqual([
    { service: 'tax', version: '1.1', previous: '1.0', at: START + 10n * MINUTE },
  ]);
  expect(await found(10n, 30n)).toEqual([]);
  expect(await found(0n, 9n)).toEqual([]);
  expect(await deploymentsOf(clickhouse, [], { from: 0n, to: START })).toEqual([]);
});

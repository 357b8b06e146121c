import { expect, test } from 'vitest';
import type { Running } from './start-up.ts';
import { greeting } from './up.ts';

test('the headers that the first start prints are URL-encoded, as OTEL_EXPORTER_OTLP_HEADERS must be', () => {
  const text = greeting({
    odoos: [],
    stores: { config: { dataDir: '/data' } },
    apiUrl: 'http://127.0.0.1:4000',
    collectorUrl: 'http://127.0.0.1:4318',
    collector: { grpcPort: 4317 },
    signInLink: () => 'http://127.0.0.1:4000/signin?token=t',
    isAdminTokenNew: false,
    newIngestToken: 'cw_secret',
  } as unknown as Running);
  const [, headers] = /OTEL_EXPORTER_OTLP_HEADERS="([^"]*)"/.exec(text) ?? [];
  expect(headers).toBe('authorization=Bearer%20cw_secret');
});

import { expect, test } from 'vitest';
import type { EventRef, FinanceEvent } from '../../model/event.ts';
import { readEvidence } from './linked.ts';

const event = (source: string, batch: string): FinanceEvent =>
  ({
    id: '1001',
    source,
    company: 'acme',
    keys: [{ type: 'batch', value: batch }],
  }) as unknown as FinanceEvent;

test('the batch is that of the events of its own sources, read once for all', async () => {
  const stored = [event('ocr', 'B1'), event('bank', 'B2')];
  const asked: (readonly EventRef[])[] = [];
  const events = {
    async byRefs(refs: readonly EventRef[]) {
      asked.push(refs);
      return stored.filter(({ source, id }) => refs.some((ref) => ref.source === source && ref.id === id));
    },
  };
  const row = (sources: string[]) => ({
    source: 'ocr',
    company: 'acme',
    events: sources.map(() => '1001'),
    event_sources: sources,
    trace_ids: [],
  });
  const both = [row(['ocr']), row(['bank']), row(['ocr', 'bank']), { ...row(['ocr']), event_sources: [] }];
  const evidence = await readEvidence(both, { events });
  expect(both.map(evidence.batchOf)).toEqual(['B1', 'B2', undefined, 'B1']);
  expect(asked).toHaveLength(1);
});

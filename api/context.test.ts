import { expect, test } from 'vitest';
import type { EventRef, FinanceEvent } from '../model/event.ts';
import type { Actor } from '../model/principal.ts';
import { createContext, type Reads } from './context.ts';

test('the events of many exceptions are read at once, each by its source and id', async () => {
  const stored = [
    { source: 'ocr', id: '1' },
    { source: 'erp', id: '1' },
  ] as FinanceEvent[];
  const asked: EventRef[][] = [];
  const events = {
    async byRefs(refs: readonly EventRef[]) {
      asked.push([...refs]);
      return stored.filter((event) =>
        refs.some(({ source, id }) => source === event.source && id === event.id),
      );
    },
  };
  const actor: Actor = { kind: 'human', id: 'ines', name: 'Ines', roles: ['finance'], companies: ['acme'] };
  const { load } = createContext({ events, companies: () => [] } as unknown as Reads, actor, 0n);
  const [ocr, erp, again, none] = await Promise.all(
    ['ocr', 'erp', 'ocr', 'bank'].map((source) => load.event.load({ source, id: '1' })),
  );
  expect([ocr?.source, erp?.source, again?.source, none]).toEqual(['ocr', 'erp', 'ocr', undefined]);
  expect(asked).toHaveLength(1);
  expect(asked[0]).toHaveLength(3);
});

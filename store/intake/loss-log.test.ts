import { expect, test } from 'vitest';
import { LossLog } from './loss-log.ts';

const MINUTE = 60_000;
const lost = { source: '/ocr', company: 'acme', stream: '', reason: 'invalid', records: 2 } as const;

function written() {
  const lines: object[] = [];
  const not = (): void => {
    throw new Error('a loss is a warning');
  };
  const log = new LossLog({ warn: (fields) => void lines.push(fields), error: not, info: not, debug: not });
  return { log, lines };
}

test('the first loss is said at once, what follows once a minute', () => {
  const { log, lines } = written();
  log.note({ ...lost, detail: 'data.money' }, 0);
  log.note(lost, 1_000);
  log.note(lost, 59_000);
  expect(lines).toEqual([{ ...lost, records: 2, detail: 'data.money' }]);
  log.tell(59_999);
  expect(lines).toHaveLength(1);
  log.tell(MINUTE);
  expect(lines[1]).toMatchObject({ source: '/ocr', records: 4 });
  log.note(lost, 2 * MINUTE);
  expect(lines[2]).toMatchObject({ records: 2 });
});

test('each source, stream and reason is said by itself; kinds that have been quiet are forgotten', () => {
  const { log, lines } = written();
  log.note(lost, 0);
  log.note({ ...lost, reason: 'conflict' }, 0);
  log.note({ ...lost, stream: 'traces' }, 0);
  log.note({ ...lost, source: '/bank' }, 0);
  expect(lines).toHaveLength(4);
  log.tell(MINUTE);
  expect([lines.length, log.isQuiet]).toEqual([4, true]);
});

test('at the end everything is said', () => {
  const { log, lines } = written();
  log.note(lost, 0);
  log.note(lost, 1);
  log.tell(2, true);
  expect(lines).toMatchObject([{ records: 2 }, { records: 2 }]);
});

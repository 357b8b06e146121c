import { expect, test } from 'vitest';
import { withRetries } from './retry.ts';

const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

test('tries again while the engine is away, and not what the engine refuses', async () => {
  let tries = 0;
  const attempt = async () => {
    tries++;
    if (tries < 3) throw refused;
    return tries;
  };
  const options = { name: 'test', signal: undefined, logger: undefined };
  expect(await withRetries(attempt, options)).toBe(3);
  const broken = async () => {
    tries++;
    throw new Error('a bug');
  };
  await expect(withRetries(broken, options)).rejects.toMatchObject({ code: 'engine.failed' });
  expect(tries).toBe(4);
});

test('an abort while waiting ends it at once, with the failure that it waited for', async () => {
  const stop = new AbortController();
  let tries = 0;
  const attempt = async () => {
    tries++;
    throw refused;
  };
  const logger = { warn: () => setImmediate(() => stop.abort()) };
  await expect(withRetries(attempt, { name: 'test', signal: stop.signal, logger })).rejects.toMatchObject({
    code: 'engine.unavailable',
  });
  expect(tries).toBe(1);
});

test('nothing is tried for a signal that has aborted already', async () => {
  const attempt = () => Promise.reject(new Error('was tried'));
  const signal = AbortSignal.abort(new Error('too late'));
  await expect(withRetries(attempt, { name: 'test', signal, logger: undefined })).rejects.toMatchObject({
    code: 'engine.failed',
    message: expect.stringContaining('too late'),
  });
});

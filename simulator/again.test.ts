import { expect, test } from 'vitest';
import { answerOf } from './again.ts';

const answer = (status: number) => new Response('', { status, headers: { 'retry-after': '0' } });
/** Gives one after another, the last for ever; counts how often it was asked. */
function sender(...outcomes: (Response | Error)[]) {
  const asked = { times: 0 };
  const send = async (): Promise<Response> => {
    const outcome = outcomes[Math.min(asked.times++, outcomes.length - 1)];
    if (outcome instanceof Response) return outcome;
    throw outcome;
  };
  return { asked, send };
}

test('429, 503 and a failing network pass: it is sent again until it is answered', async () => {
  const { asked, send } = sender(answer(429), answer(503), new TypeError('fetch failed'), answer(202));
  expect((await answerOf(send)).status).toBe(202);
  expect(asked.times).toBe(4);
});

test.each([200, 400, 409, 422, 500])('%i is final', async (status) => {
  const { asked, send } = sender(answer(status), answer(202));
  expect((await answerOf(send)).status).toBe(status);
  expect(asked.times).toBe(1);
});

test('in the end the last answer, or failure, stands', async () => {
  const busy = new Response('', { status: 503, headers: { 'retry-after': '60' } });
  expect((await answerOf(sender(busy).send, { withinMs: 1000 })).status).toBe(503);
  await expect(answerOf(sender(new TypeError('fetch failed')).send, { withinMs: 0 })).rejects.toThrow(
    'fetch failed',
  );
});

test('an abort ends the waiting', async () => {
  const busy = new Response('', { status: 503, headers: { 'retry-after': '60' } });
  const ending = new AbortController();
  const waiting = answerOf(sender(busy).send, { signal: ending.signal });
  ending.abort();
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
});

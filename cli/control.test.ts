import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { ClosewatchError } from '../model/errors.ts';
import { askControl, type Control, serveControl } from './control.ts';
import type { Task } from './task.ts';

interface Context {
  readonly greeting: string;
}

const greet: Task<Context, { names: string[] }, string, string> = {
  name: 'greet',
  args: z.strictObject({ names: z.array(z.string()) }),
  async run({ greeting }, { names }, report) {
    for (const name of names) report(name);
    if (names.length === 0) {
      throw new ClosewatchError('not-found', 'nobody to greet', {
        problems: [{ where: 'names', what: 'is empty' }],
      });
    }
    return `${greeting} ${names.join(', ')}`;
  },
};

let control: Control;
beforeAll(async () => {
  control = await serveControl(new Map([[greet.name, greet]]), { greeting: 'hello' });
});
afterAll(() => control.close());

test('a task runs in the other process, and its progress and result come back', async () => {
  const heard: unknown[] = [];
  const result = await askControl<string>(control, 'greet', { names: ['a\nb', 'c'] }, (name) =>
    heard.push(name),
  );
  expect(result).toBe('hello a\nb, c');
  expect(heard).toEqual(['a\nb', 'c']);
});

test('an error comes back as what it was', async () => {
  const refused = askControl(control, 'greet', { names: [] }, () => {});
  await expect(refused).rejects.toMatchObject({
    code: 'not-found',
    message: 'nobody to greet',
    problems: [{ where: 'names' }],
  });
  await expect(askControl(control, 'greet', { names: 7 }, () => {})).rejects.toThrow(/names/);
});

test('nobody enters without the token, and nothing else is served', async () => {
  const post = (path: string, token: string) =>
    fetch(`${control.url}/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: '{"names":["x"]}',
    });
  expect((await post('greet', 'wrong')).status).toBe(401);
  expect((await fetch(`${control.url}/greet`, { method: 'POST', body: '{}' })).status).toBe(401);
  expect((await post('other', control.token)).status).toBe(404);
  expect((await fetch(control.url)).status).toBe(401);
  expect((await post('greet', control.token)).status).toBe(200);
});

test('a process that ends in the middle of a task is told as that, not as a broken connection', async () => {
  const hang: Task<Context, Record<never, never>, string, never> = {
    name: 'hang',
    args: z.strictObject({}),
    run: (_, __, report) => {
      report('begun');
      return new Promise(() => {});
    },
  };
  const dying = await serveControl(new Map([[hang.name, hang]]), { greeting: '' });
  const asked = askControl(dying, 'hang', {}, () => void dying.close());
  await expect(asked).rejects.toMatchObject({
    code: 'store.unavailable',
    message: expect.stringContaining('ended before the task hang was done'),
  });
});

/** Counts until it is stopped, and says how it ended. */
function counting(): { task: Task<Context, Record<never, never>, number, number>; ended: Promise<unknown> } {
  const ended = Promise.withResolvers<unknown>();
  const task: Task<Context, Record<never, never>, number, number> = {
    name: 'count',
    args: z.strictObject({}),
    async run(_, __, report) {
      try {
        for (let n = 0; ; n++) {
          report(n);
          await new Promise((resolve) => setImmediate(resolve));
        }
      } catch (error) {
        ended.resolve((error as Error).message);
        throw error;
      }
    },
  };
  return { task, ended: ended.promise };
}

test('a task ends where it next reports when its asker has left', async () => {
  const { task, ended } = counting();
  const door = await serveControl(new Map([[task.name, task]]), { greeting: '' });
  const leaving = new AbortController();
  const response = await fetch(`${door.url}/count`, {
    method: 'POST',
    headers: { authorization: `Bearer ${door.token}` },
    body: '{}',
    signal: leaving.signal,
  });
  await response.body?.getReader().read();
  leaving.abort();
  expect(await ended).toBe('whoever asked for the task has left');
  await door.close();
});

test('closing has the tasks end, and waits for that', async () => {
  const { task, ended } = counting();
  const door = await serveControl(new Map([[task.name, task]]), { greeting: '' });
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  const heard = Promise.withResolvers<void>();
  const asked = askControl(door, 'count', {}, () => heard.resolve());
  asked.catch(() => {});
  await heard.promise;
  await door.close(30_000);
  expect(hasEnded).toBe(true);
  await expect(asked).rejects.toMatchObject({ code: 'store.unavailable' });
});

test('a task that reports nothing is told to be alive, so that its asker waits on', async () => {
  const told = Promise.withResolvers<void>();
  const quiet: Task<Context, Record<never, never>, never, string> = {
    name: 'quiet',
    args: z.strictObject({}),
    run: async () => {
      await told.promise;
      return 'done';
    },
  };
  const tasks = new Map([[quiet.name, quiet]]);
  const door = await serveControl(tasks, { greeting: '' }, { aliveEveryMs: 5 });
  // The head comes before anything else: the task ends only when this has seen a line.
  const response = await fetch(`${door.url}/quiet`, {
    method: 'POST',
    headers: { authorization: `Bearer ${door.token}` },
    body: '{}',
  });
  let lines = '';
  for await (const chunk of response.body ?? []) {
    lines += Buffer.from(chunk).toString();
    told.resolve();
  }
  expect(lines).toMatch(/^(\{"alive":true\}\n)+\{"result":"done"\}\n$/);
  expect(await askControl(door, 'quiet', {}, () => {})).toBe('done');
  await door.close();
});

test('a door that nobody opens is told as a process that has ended', async () => {
  const door = await serveControl(new Map([[greet.name, greet]]), { greeting: '' });
  await door.close();
  await expect(askControl(door, 'greet', { names: ['a'] }, () => {})).rejects.toMatchObject({
    code: 'store.unavailable',
  });
});

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

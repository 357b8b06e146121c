import { expect, test } from 'vitest';
import { createSignIn } from './sign-in.ts';

const signIn = () => createSignIn({ adminToken: 'the-administrators-token' }, { now: () => 0 });

test('the administrator’s token signs in, any other does not', async () => {
  expect(await signIn().exchange('the-administrators-token')).toMatchObject({ id: 'admin' });
  for (const token of ['', ' ', 'the-administrators-toke', 'THE-ADMINISTRATORS-TOKEN'])
    expect([token, await signIn().exchange(token)]).toEqual([token, undefined]);
});

test('without an administrator’s token nobody gets in: there is no sign-in at all', () => {
  expect(() => createSignIn({ adminToken: '' }, { now: () => 0 })).toThrow(/token/);
});

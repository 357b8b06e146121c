import { expect, test } from 'vitest';
import { route } from './route.ts';

const slack = { publicUrl: () => '', slack: { botToken: 'xoxb', channel: 'C2' } };
const channels = (config: Parameters<typeof route>[0], state: string, toldIn: string[]): string[] =>
  route(config, { incident: { state }, toldIn }).map(({ channel }) => channel);

test('what is not resolved goes to the channel, and to those that have it from before', () => {
  expect(channels(slack, 'open', [])).toEqual(['C2']);
  expect(channels(slack, 'acknowledged', ['C1', 'C2'])).toEqual(['C2', 'C1']);
});

test('what is resolved goes where it was told; told nowhere, to the channel', () => {
  expect(channels(slack, 'resolved', ['C1'])).toEqual(['C1']);
  expect(channels(slack, 'resolved', [])).toEqual(['C2']);
});

test('without Slack all goes to the outbox', () => {
  for (const state of ['open', 'resolved'])
    expect(channels({ publicUrl: () => '' }, state, ['C1'])).toEqual(['outbox']);
});

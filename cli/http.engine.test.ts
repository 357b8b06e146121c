import { Agent, request } from 'node:http';
import { expect, test } from 'vitest';
import { createReceiver } from '../alerts/slack/receiver.ts';
import { readBody as readText, sendError } from '../api/http/respond.ts';
import { BodyBudget, BodyHold, readBody } from '../collector/body.ts';
import { type Handler, listen } from './http.ts';

const MIB = 1 << 20;

/** Who reads bodies, each with a limit far below 8 MiB. */
const READERS: Record<string, Handler> = {
  async collector(req, res) {
    const hold = new BodyHold(new BodyBudget(MIB));
    await readBody(req, 100_000, hold).then(
      () => res.writeHead(200).end(),
      (error) => res.writeHead(error.status).end('too large'),
    );
    hold.release();
  },
  async api(req, res) {
    await readText(req, 100_000).catch((error) => sendError(res, error));
  },
  slack: (req, res) => createReceiver({ signingSecret: 'secret' }).handle(req, res),
};
const serve = (name: string) =>
  listen(READERS[name] as Handler, {
    host: '127.0.0.1',
    port: 0,
    onError: (error) => {
      throw error;
    },
  });

function post(url: string, body: Buffer, agent: Agent): Promise<{ status: number; port: number }> {
  return new Promise((done, fail) => {
    const req = request(
      url,
      { method: 'POST', agent, headers: { 'transfer-encoding': 'chunked' } },
      (res) => {
        const port = res.socket.localPort ?? 0;
        res.resume().once('end', () => done({ status: res.statusCode ?? 0, port }));
      },
    );
    req.on('error', fail);
    req.end(body);
  });
}

test.each(Object.keys(READERS))('who sends too much gets to the answer, every time: %s', async (reader) => {
  const server = await serve(reader);
  const agent = new Agent();
  const statuses = new Set<number>();
  for (let round = 0; round < 4; round++) {
    const sent = Array.from({ length: 10 }, () => post(server.url, Buffer.alloc(8 * MIB), agent));
    for (const { status } of await Promise.all(sent)) statuses.add(status);
  }
  expect([...statuses]).toEqual([413]);
  await server.close(0);
});

test('a connection whose body was refused serves again when the body ends', async () => {
  const server = await serve('collector');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const refused = await post(server.url, Buffer.alloc(8 * MIB), agent);
  const taken = await post(server.url, Buffer.alloc(10), agent);
  expect([refused.status, taken.status, taken.port]).toEqual([413, 200, refused.port]);
  agent.destroy();
  await server.close(0);
});

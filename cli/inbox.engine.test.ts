import { afterAll, expect, test } from 'vitest';
import { closewatch, environment, INGEST_TOKEN, temporaryFolder, type Up, up } from '../test/harness.ts';

const folder = temporaryFolder();
let running: Up | undefined;
afterAll(async () => {
  await running?.kill();
  folder.remove();
});

test('a refused event is listed, shown without steering the terminal, and discarded with a reason', async () => {
  running = await up(folder.path);
  const refused = await fetch(`${running.collectorUrl}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${INGEST_TOKEN}`, 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify({ specversion: '1.0', id: 'e-1', note: '\u001b[2Jgone\u202e' }),
  });
  expect(refused.status).toBe(422);
  const run = (...args: string[]) => closewatch(['dead-letters', ...args], environment(folder.path));
  const listed = await run('list', '--json');
  expect(listed, listed.stderr).toMatchObject({ code: 0 });
  const [letter] = JSON.parse(listed.stdout).deadLetters;
  expect(letter).toMatchObject({ state: 'open', reason: 'invalid', eventId: 'e-1' });
  expect((await run('list')).stdout).toContain(`${letter.id}  ${letter.receivedAt}`);

  const shown = await run('show', letter.id);
  expect(shown.stdout).toMatch(/^received {3}/);
  expect(shown.stdout).toContain('e-1');
  expect(shown.stdout).not.toMatch(/(?![\n\t])[\p{Cc}\p{Cf}]/u);
  expect(await run('show', '999')).toMatchObject({ code: 1, stderr: expect.stringContaining('999') });
  expect(await run('show', 'x')).toMatchObject({ code: 2 });

  const doctor = await closewatch(['doctor', '--json'], environment(folder.path));
  expect(doctor, doctor.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(doctor.stdout).checks).toContainEqual(
    expect.objectContaining({
      name: 'dead letters',
      state: 'note',
      advice: expect.stringContaining('closewatch inbox list'),
    }),
  );

  expect(await run('discard', letter.id)).toMatchObject({ code: 2 });
  expect(await run('discard', letter.id, '--reason', 'a test')).toMatchObject({ code: 0 });
  expect(await run('discard', letter.id, '--reason', 'again')).toMatchObject({ code: 1 });
  expect(JSON.parse((await run('list', '--json')).stdout)).toEqual({ deadLetters: [] });
  expect(JSON.parse((await run('list', '--state', 'discarded', '--json')).stdout).deadLetters).toMatchObject([
    { id: letter.id, decidedReason: 'a test', decidedBy: expect.any(String) },
  ]);
});

import { expect, test } from 'vitest';
import { EngineError } from './errors.ts';
import type { NativeConnection } from './native.ts';
import { Sessions } from './sessions.ts';

const connection = { run: async () => undefined, close: () => undefined } as unknown as NativeConnection;
const unopened = () => new EngineError(1002, 'Failed to create connection', 'UNKNOWN_EXCEPTION');
const named = { id: 's', seconds: 60, mustExist: false };

test.each([undefined, named])(
  'a connection that does not open is tried again when the engine is mended',
  async (wanted) => {
    let sound = false;
    const sessions = new Sessions(
      () => {
        if (!sound) throw unopened();
        return connection;
      },
      async () => {
        sound = true;
      },
    );
    expect((await sessions.lease(wanted)).connection).toBe(connection);
    sessions.close();
  },
);

test('one that never opens fails, and what is no such failure is not mended', async () => {
  let mended = 0;
  const mend = async () => {
    mended++;
  };
  const never = new Sessions(() => {
    throw unopened();
  }, mend);
  await expect(never.lease(undefined)).rejects.toMatchObject({ code: 1002 });
  await expect(never.lease({ ...named, mustExist: true })).rejects.toMatchObject({ code: 372 });
  expect(mended).toBe(1);
});

test('a session is fresh until a request on it went well', async () => {
  const sessions = new Sessions(
    () => connection,
    async () => undefined,
  );
  for (const [fresh, failed] of [
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ] as const) {
    const lease = await sessions.lease(named);
    expect(lease.fresh).toBe(fresh);
    await lease.release(failed);
  }
  sessions.close();
});

import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import type { FromThread, ToThread, WorkerStart } from './thread.ts';

/** The thread that PGlite blocks: bytes of the wire protocol in, bytes out, one unit after the other. */
const port = parentPort;
if (!port) throw new Error('this file runs in a worker thread');
const { dataDir, settings } = workerData as WorkerStart;
const say = (message: FromThread, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

const startParams = [
  ...PGlite.defaultStartParams,
  ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
];
const database = await PGlite.create({ dataDir, startParams });

port.on('message', async (message: ToThread) => {
  if (message.kind === 'close') {
    await database.close();
    say({ kind: 'closed' });
    port.close();
    return;
  }
  const bytes = await database.execProtocolRaw(message.bytes);
  say({ kind: 'answer', bytes }, [bytes.buffer as ArrayBuffer]);
});
say({ kind: 'ready' });

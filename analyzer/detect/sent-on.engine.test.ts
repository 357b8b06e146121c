import { afterAll, beforeEach, expect, test } from 'vitest';
import { createForwarder } from '../../store/forwarder.ts';
import { openInbox } from '../../store/postgres/inbox.ts';
import { sendOn } from '../../store/postgres/inbox-replay.ts';
import { asExecutor } from '../../store/postgres/proposals.ts';
import { detectionHouse, event } from '../../test/detection-house.ts';
import { instantOf } from './fixture.ts';

/** Events that a person sends through again. */
const house = await detectionHouse();
afterAll(() => house.remove());
beforeEach(() => house.clear());
const { complete, detector, exceptions, postgres, events, logger } = house;

test('detection looks at them as new, judges the same, and its cursor passes them', async () => {
  await complete('30');
  const inbox = openInbox(postgres);
  const { batch: _, receivedAt: __, ...received } = event('bill.received', '1', { supref: 'V:1' });
  await inbox.accept([{ event: received, bodyHash: 'hash' }]);
  const forwarder = createForwarder({ postgres, inbox, events, logger });
  await forwarder.drain();
  const { pass } = detector();
  expect(await pass(instantOf('4'))).toMatchObject({ events: 1, opened: 1 });
  expect(await pass(instantOf('4'))).toMatchObject({ events: 0, judged: 0 });
  // What detection knew of it is gone.
  await postgres.db.deleteFrom('exceptions').execute();
  await postgres.db.deleteFrom('obligations').execute();
  expect(await pass(instantOf('4'))).toMatchObject({ events: 0, judged: 0 });
  expect(await exceptions()).toEqual([]);

  const wish = { by: 'sam', at: new Date() };
  expect((await sendOn(postgres, [received], wish)).sent).toHaveLength(1);
  await forwarder.drain();
  expect(await pass(instantOf('4'))).toMatchObject({ events: 1, opened: 1 });
  expect(await exceptions()).toEqual([['posted', 'doc', 'open', true]]);
  // Once more, with everything there and with the rights of the worker of actions, it changes nothing.
  await sendOn(postgres, [received], wish, (work) => asExecutor(postgres, work));
  await forwarder.drain();
  expect(await pass(instantOf('4'))).toMatchObject({ events: 1, opened: 0, closed: 0 });
  expect(await pass(instantOf('4'))).toMatchObject({ events: 0 });
  await forwarder.stop();
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPostgres, type Postgres } from './database.ts';
import { keepDeadLetters } from './dead-letters.ts';
import { openInbox } from './inbox.ts';
import { countErrors } from './sources.ts';
import { acceptedEvent as eventOf } from './testing/accepted-event.ts';
import { backEnds, keepingLogger, type TemporaryPlace } from './testing/back-ends.ts';

describe.each(await backEnds())('on $name', ({ isAbsent, create }) => {
  let temporary: TemporaryPlace;
  let postgres: Postgres;
  beforeAll(async () => {
    if (isAbsent) return;
    temporary = await create();
    postgres = await openPostgres(temporary.place, { logger: keepingLogger() });
  });
  afterAll(async () => {
    await postgres?.close();
    await temporary?.remove();
  });

  test.skipIf(isAbsent)(
    'what the database does not take stands alone, and takes nobody with it',
    async () => {
      const inbox = openInbox(postgres);
      const nul = eventOf('nul', { subject: 'a\0b' });
      const long = eventOf('発'.repeat(1000), {
        source: Array.from({ length: 1000 }, (_, i) => i).join('発'),
      });
      const results = await Promise.all([
        inbox.accept([eventOf('good-1')]),
        inbox.accept([eventOf('good-2'), nul, eventOf('good-3')]),
        inbox.accept([long]),
        inbox.accept([eventOf('good-4'), eventOf('good-1')]),
      ]);
      expect(results).toEqual([
        ['accepted'],
        ['accepted', 'unstorable', 'accepted'],
        ['unstorable'],
        ['accepted', 'known'],
      ]);
      const batches = (await inbox.pendingBatches(100)).map(({ batch }) => batch);
      const stored = (await Promise.all(batches.map(inbox.eventsOf))).flat().map(({ id }) => id);
      expect(stored.sort()).toEqual(['good-1', 'good-2', 'good-3', 'good-4']);
      expect(await inbox.newestBatch()).toBe(batches.at(-1));
    },
  );

  test.skipIf(isAbsent)('what waits is limited by its text, but a call alone is never refused', async () => {
    const inbox = openInbox(postgres, { maxWaiting: { events: 1000, characters: 3000 } });
    const large = (id: string) => [eventOf(id, { data: JSON.stringify('x'.repeat(2000)) })];
    const [first, second] = await Promise.allSettled([
      inbox.accept(large('large-1')),
      inbox.accept(large('large-2')),
    ]);
    expect(first).toMatchObject({ value: ['accepted'] });
    expect(second).toMatchObject({ reason: { code: 'request.overloaded' } });
    expect(await inbox.accept([eventOf('huge', { data: JSON.stringify('x'.repeat(9000)) })])).toEqual([
      'accepted',
    ]);
    expect(await inbox.accept(large('large-2'))).toEqual(['accepted']);
  });

  test.skipIf(isAbsent)(
    'transactions share a batch until it is read or full; from then on it holds the same events',
    async () => {
      const [one, other] = [openInbox(postgres), openInbox(postgres)];
      const before = await one.newestBatch();
      await one.eventsOf(before);
      expect(await one.accept([eventOf('shared-1')])).toEqual(['accepted']);
      expect(await other.accept([eventOf('shared-2'), eventOf('shared-1')])).toEqual(['accepted', 'known']);
      const batch = await one.newestBatch();
      expect(batch).toBe(before + 1n);
      const ids = async () => (await other.eventsOf(batch)).map(({ id }) => id);
      expect(await ids()).toEqual(['shared-1', 'shared-2']);
      await one.accept([eventOf('shared-3')]);
      expect(await one.newestBatch()).toBe(batch + 1n);
      expect(await ids()).toEqual(['shared-1', 'shared-2']);
      const many = (name: string) => Array.from({ length: 3_000 }, (_, i) => eventOf(`${name}-${i}`));
      await one.accept(many('full'));
      expect(await one.newestBatch()).toBe(batch + 1n);
      await other.accept(many('over'));
      expect(await one.newestBatch()).toBe(batch + 2n);
      const sizes = await postgres.db
        .selectFrom('batches')
        .select(['rows', 'source'])
        .where('batch', '>=', `${batch}`)
        .orderBy('batch')
        .execute();
      expect(sizes.map(({ rows }) => rows)).toEqual([2, 3_001, 3_000]);
    },
  );

  test.skipIf(isAbsent)(
    'two collectors that are sent the same events in another order take each once',
    async () => {
      const inboxes = [openInbox(postgres), openInbox(postgres, { criticalKinds: ['order'] })];
      const events = Array.from({ length: 400 }, (_, i) => eventOf(`twice-${i}`));
      const results = await Promise.all(
        inboxes.map(async (inbox, k) =>
          (await inbox.accept(k === 0 ? events : events.toReversed())).toSorted(),
        ),
      );
      expect(results.flat().filter((result) => result === 'accepted')).toHaveLength(400);
      expect(results.flat().filter((result) => result === 'known')).toHaveLength(400);
      const { rows } = await postgres.pool.query(
        `SELECT batches.batch FROM batches JOIN (SELECT batch, count(*) AS events FROM inbox GROUP BY batch) AS held
          USING (batch) WHERE held.events <> batches.rows AND batches.kind = 'inbox'`,
      );
      expect(rows).toEqual([]);
    },
  );

  test.skipIf(isAbsent)(
    'a payment waits for one commit at most, however many other events wait; its batch is forwarded first',
    async () => {
      const inbox = openInbox(postgres, { criticalKinds: ['payment'] });
      const pending = async () => (await inbox.pendingBatches(1_000)).map(({ batch }) => batch);
      const backlog = Array.from({ length: 10 }, (_, call) =>
        inbox.accept(Array.from({ length: 2_600 }, (_, i) => eventOf(`backlog-${call}-${i}`))),
      );
      await backlog[0];
      const first = await inbox.newestBatch();
      const payment = eventOf('payment', { type: 'payment.settled' });
      expect(await inbox.accept([payment])).toEqual(['accepted']);
      const { batch } = await postgres.db
        .selectFrom('inbox')
        .select('batch')
        .where('id', '=', 'payment')
        .executeTakeFirstOrThrow();
      // The commit under way when it came may have been followed by one, while the test asked.
      expect(BigInt(batch ?? 0) - first).toBeLessThanOrEqual(2n);
      await Promise.all(backlog);
      expect(await inbox.newestBatch()).toBeGreaterThan(BigInt(batch ?? 0) + 4n);
      const [critical, ...others] = await pending();
      expect(critical).toBe(BigInt(batch ?? 0));
      expect(others).toEqual(others.toSorted((a, b) => Number(a - b)));
      // The cursor of detection waits for what is before it all the same.
      await inbox.confirm(BigInt(batch ?? 0));
      expect(await inbox.storedUpTo()).toBe(((await inbox.firstPending()) ?? 0n) - 1n);
    },
  );

  test.skipIf(isAbsent)('under overload the critical kinds are the last to be refused', async () => {
    const inbox = openInbox(postgres, {
      criticalKinds: ['payment'],
      ordinaryShare: 0.5,
      maxWaiting: { events: 100, characters: 1 << 20 },
    });
    const some = (name: string, count: number, type = 'order.paid') =>
      Array.from({ length: count }, (_, i) => eventOf(`${name}-${i}`, { type }));
    const results = await Promise.allSettled([
      inbox.accept(some('first', 40)),
      inbox.accept(some('ordinary', 20)),
      inbox.accept(some('payments', 60, 'payment.settled')),
      inbox.accept(some('too-many', 1, 'payment.settled')),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
  });

  test.skipIf(isAbsent)('an event that is accepted settles its open dead letters, and no other', async () => {
    const letter = { source: '/shop', reason: 'invalid', problems: [], body: '{}' };
    await keepDeadLetters(postgres, '*', [
      { ...letter, eventId: 'mended', company: 'acme' },
      { ...letter, eventId: 'mended' },
      { ...letter, eventId: 'mended', source: '/bank' },
      { ...letter, eventId: 'other' },
      letter,
    ]);
    await openInbox(postgres).accept([eventOf('mended'), eventOf('never refused')]);
    const letters = await postgres.db
      .selectFrom('dead_letters')
      .select(['source', 'company', 'event_id', 'state', 'decided_reason'])
      .orderBy('id')
      .execute();
    expect(letters.map((row) => [row.source, row.event_id, row.state])).toEqual([
      ['/shop', 'mended', 'replayed'],
      ['/shop', 'mended', 'replayed'],
      ['/bank', 'mended', 'open'],
      ['/shop', 'other', 'open'],
      ['/shop', null, 'open'],
    ]);
    expect(letters[0]).toMatchObject({ company: 'acme', decided_reason: 'the event was accepted later' });
  });

  test.skipIf(isAbsent)(
    'of a sender so many open dead letters are kept and no more, whatever sources it names',
    async () => {
      const letters = Array.from({ length: 5 }, (_, i) => ({
        source: `/flood/${i}`,
        reason: 'invalid',
        problems: [{ where: `a\0${'\ud800'}`, what: 'half a pair: \ud83d' }],
        eventId: `${i}${'発'.repeat(1024)}`,
        body: 'x\0',
      }));
      expect(await keepDeadLetters(postgres, '/flood', letters, { letters: 7 })).toBe(5);
      expect(await keepDeadLetters(postgres, '/flood', letters, { letters: 7 })).toBe(2);
      expect(await keepDeadLetters(postgres, '/flood', letters, { letters: 7 })).toBe(0);
      expect(await keepDeadLetters(postgres, '/quiet', letters.slice(0, 1), { letters: 7 })).toBe(1);
      const kept = await postgres.db
        .selectFrom('dead_letters')
        .select(['event_id', 'problems'])
        .where('sender', '=', '/flood')
        .orderBy('id')
        .execute();
      expect(kept).toHaveLength(7);
      expect(kept[0]?.problems).toEqual([{ where: 'a\ufffd\ufffd', what: 'half a pair: \ufffd' }]);
      expect(Buffer.byteLength(kept[0]?.event_id ?? '')).toBeLessThanOrEqual(1024);
    },
  );

  test.skipIf(isAbsent)('errors are counted under the company of the event, or the only one', async () => {
    const inbox = openInbox(postgres);
    await inbox.accept([
      eventOf('1', { source: '/two', company: 'acme' }),
      eventOf('2', { source: '/two', company: 'beta' }),
      eventOf('3', { source: '/one', company: 'acme' }),
    ]);
    const of = (times: number, source: string, company?: string) => Array(times).fill({ source, company });
    await countErrors(postgres, [
      ...of(3, '/two', 'beta'),
      ...of(5, '/two'),
      ...of(7, '/one'),
      ...of(9, '/never seen', 'acme'),
    ]);
    const rows = await postgres.db
      .selectFrom('sources')
      .select(['source', 'company', 'errors'])
      .where('source', 'in', ['/one', '/two'])
      .orderBy('source')
      .orderBy('company')
      .execute();
    expect(rows.map((row) => [row.source, row.company, Number(row.errors)])).toEqual([
      ['/one', 'acme', 7],
      ['/two', 'acme', 0],
      ['/two', 'beta', 3],
    ]);
  });
});

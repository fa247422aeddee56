/** Sessions: what is bound to one goes with it, and its owner is told in time. */
import type { Observable } from 'rxjs';
import type { Driver, Grant, Session } from '../driver.js';
import { KvError } from '../errors.js';
import { text } from '../text.js';
import { patient } from './affliction.js';
import type { Context } from './context.js';
import { bytes, call, evict, query } from './plain-driver.js';
import type { Recording } from './recording.js';
import { type Capability, onTwo, proof, severalKeys, strictLocks, type Topic } from './topic.js';
import { quietFor, refused, settles, until } from './waiting.js';

const briefTtls: Capability = { absent: 'minTtl is over 2 s', present: ({ minTtl }) => minTtl <= 2000 };

async function opened({ record }: Context, sessions$: Observable<Session>): Promise<{ live: Recording<Session>; session: Session }> {
  const live = record(sessions$);
  return { live, session: await live.first('a live session') };
}

async function bind(driver: Driver, key: string, session: Session): Promise<void> {
  await driver.commit({ checks: [], ops: [{ put: key, value: bytes('bound'), session }] }, call);
}

async function present(driver: Driver, key: string): Promise<boolean> {
  return (await driver.list({ key }, query)).entries.length === 1;
}

/** A lock as the driver itself knows it: from its own queue, or the record that the portable one would write. */
async function granted({ record }: Context, driver: Driver, session: Session): Promise<Grant> {
  if (driver.acquire$ !== undefined) return record(driver.acquire$(session, '~rxkv/fenced', bytes('holder'))).first('the grant');
  const key = `~rxkv/fenced/${session.id}-1`;
  const outcome = await driver.commit({ checks: [{ key, entry: undefined }], ops: [{ put: key, value: bytes('holder'), session }] }, call);
  const entry = outcome.ok ? outcome.results[0]?.entry : undefined;
  if (entry === undefined) throw new Error('the record of the lock was not written');
  return { key, fence: entry.created, session };
}

/** Runs no timer and no callback for so long, as a garbage collection or a debugger would. */
function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

export const sessions: Topic = {
  name: 'sessions',
  proofs: [
    proof('a session says its id, the ttl it was granted, and what remains of it', { ways: onTwo }, async context => {
      const { bare, ttl, expect } = context;
      const driver = await bare();
      const { live, session } = await opened(context, driver.session$(ttl));
      const other = await opened(context, driver.session$(ttl));
      expect(session.ttl).toBeGreaterThanOrEqual(ttl);
      expect(session.remaining()).toBeGreaterThan(0);
      expect(session.remaining()).toBeLessThanOrEqual(session.ttl);
      expect(session.id.length).toBeGreaterThan(0);
      expect(other.session.id === session.id).toBe(false);
      await quietFor(Math.min(ttl * 2, ttl + 2000), 'the session must not end while subscribed');
      expect([live.values.length, live.ended]).toEqual([1, false]);
      expect(session.remaining()).toBeGreaterThan(0);
    }),

    proof('a key bound to a session is leased, and goes when the session ends', { ways: onTwo }, async context => {
      const { bare, ttl, limit, expect } = context;
      const [owner, observer] = [await bare(), await bare()];
      const { live, session } = await opened(context, owner.session$(ttl));
      await bind(owner, 'bound', session);
      const { entries } = await observer.list({ key: 'bound' }, query);
      expect([entries[0]?.leased, text(entries[0])]).toEqual([true, 'bound']);
      live.unsubscribe();
      await until(async () => !(await present(observer, 'bound')), 'the key to go with its session', limit);
    }),

    proof('a key that was overwritten since stays when the session ends', { ways: onTwo }, async context => {
      const { bare, writer, reader, ttl, limit, expect } = context;
      const owner = await bare();
      const { live, session } = await opened(context, owner.session$(ttl));
      for (const key of ['kept', 'gone']) await bind(owner, key, session);
      await writer.put('kept', 'theirs');
      live.unsubscribe();
      await until(async () => !(await reader.exists('gone')), 'the other key to go', limit);
      expect(text(await reader.get('kept'))).toBe('theirs');
      expect((await reader.get('kept'))?.leased).toBe(false);
    }),

    proof('a put on an ended session is session-lost, and writes nothing', { ways: onTwo, hooks: ['expireSession'] }, async context => {
      const { harness, bare, ttl, reader, expect } = context;
      const driver = await bare();
      const { live, session } = await opened(context, driver.session$(ttl));
      await harness.expireSession?.(driver, session);
      await refused(() => bind(driver, 'late', session), 'session-lost', 'a put on an ended session');
      expect((await live.fails('session-lost', 'the session to say so')).transient).toBe(true);
      expect(await reader.exists('late')).toBe(false);
    }),

    proof(
      'guarantee 5: the server itself refuses a fenced commit once the record of the lock is gone',
      { ways: onTwo, capable: severalKeys },
      async context => {
        const { harness, bare, ttl, reader, expect } = context;
        const [holder, operator] = [await bare(), await bare()];
        const { session } = await opened(context, holder.session$(Math.max(ttl, 5000)));
        const held = await granted(context, holder, session);
        const fenced = async (value: string): Promise<boolean> =>
          (await holder.commit({ checks: [{ held }], ops: [{ put: 'fenced', value: bytes(value) }] }, call)).ok;
        expect(await fenced('held')).toBe(true);
        await evict(harness, operator, 'fenced');
        expect(await fenced('late')).toBe(false);
        expect(text(await reader.get('fenced'))).toBe('held');
      },
    ),

    proof(
      'a lock whose session the server ended is lock-lost, its signal aborted before that',
      { hooks: ['expireSession'] },
      async context => {
        const { harness, writing, writer, record, connect, expect } = context;
        const held = record(writer.lock$('lost'));
        const lock = await held.first('the lock');
        // Patient: a harness may end everybody's sessions.
        const rival = record((await connect()).store.lock$('lost').pipe(patient()));
        let streamWasOpen: boolean | undefined;
        lock.signal.addEventListener('abort', () => {
          streamWasOpen = !held.ended;
        });
        await harness.expireSession?.(writing.driver);
        expect((await held.fails('lock-lost', 'the loss')).transient).toBe(true);
        expect([lock.held, lock.signal.aborted, streamWasOpen]).toEqual([false, true, true]);
        const next = await rival.next(({ held: ours }) => ours, 'the rival to get the lock');
        expect(next.fence).toBeGreaterThan(lock.fence);
      },
    ),

    proof('a lost lock is told by its signal, and its release is harmless', { hooks: ['expireSession'] }, async context => {
      const { harness, writing, writer, reader, limit, expect } = context;
      const lock = await writer.lock('told');
      await harness.expireSession?.(writing.driver);
      await until(() => lock.signal.aborted, 'the signal of the lost lock', limit);
      expect(lock.held).toBe(false);
      const next = await reader.lock('told');
      await lock.release();
      expect(next.held).toBe(true);
      await refused(() => writer.lock('told', { wait: 0 }), 'conflict', "one try at the next holder's lock");
      await next.release();
    }),

    proof('who waits when its session ends is session-lost', { hooks: ['expireSession'] }, async context => {
      const { harness, writer, connect, record } = context;
      const holder = await writer.lock('queue');
      const waiter = await connect();
      const waiting = record(waiter.store.lock$('queue'));
      await waiter.store.get('warm');
      await quietFor(50, 'the waiter is to stand in the queue');
      await harness.expireSession?.(waiter.driver);
      await waiting.fails('session-lost', 'the end of its session');
      await holder.release();
    }),

    proof(
      'withLock aborts the signal at a loss, waits for the work, then rejects with lock-lost',
      { hooks: ['expireSession'] },
      async context => {
        const { harness, writing, writer, limit, expect } = context;
        const steps: string[] = [];
        const working = writer.withLock('work', async lock => {
          await harness.expireSession?.(writing.driver);
          await until(() => lock.signal.aborted, 'the signal', limit);
          steps.push('told');
          await quietFor(30, 'withLock must not settle before its work');
          steps.push('work done');
          return 'result';
        });
        const outcome = await working.then(
          () => 'resolved',
          (error: unknown) => {
            steps.push('rejected');
            return KvError.is(error) ? error.code : error;
          },
        );
        expect([outcome, ...steps]).toEqual(['lock-lost', 'told', 'work done', 'rejected']);
      },
    ),

    proof(
      'guarantee 5: the holder of a cut link is told before the rival acquires',
      { ways: onTwo, faulty: true, capable: strictLocks, hooks: ['cut', 'heal'] },
      async context => {
        const { harness, writing, writer, reader, ttl, limit, capabilities, record, expect } = context;
        const lockTtl = Math.max(ttl, 1000);
        const held = record(writer.lock$('cut', { ttl: lockTtl }));
        const lock = await held.first('the lock');
        let toldAt: number | undefined;
        lock.signal.addEventListener('abort', () => {
          toldAt = performance.now();
        });
        const rival = record(reader.lock$('cut', { ttl: lockTtl }));
        await reader.get('warm');
        await harness.cut?.(writing.driver);
        await until(() => rival.values.length === 1, 'the rival to get the lock', lockTtl * 2 + capabilities.ttlLag + limit);
        expect(toldAt ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(rival.times[0] ?? 0);
        expect(rival.values[0]?.fence ?? 0n).toBeGreaterThan(lock.fence);
        await held.fails(['lock-lost'], 'the loss');
        expect(lock.held).toBe(false);
      },
    ),

    proof('guarantee 5: one failed renewal is no loss', { ways: onTwo, faulty: true, hooks: ['cut', 'heal'] }, async context => {
      const { harness, writing, writer, reader, ttl, expect } = context;
      const lockTtl = Math.max(ttl, 1500);
      const lock = await writer.lock('kept', { ttl: lockTtl });
      await harness.cut?.(writing.driver);
      await quietFor(lockTtl * 0.4, 'renewals fail meanwhile, and the lock must not be lost');
      await harness.heal?.(writing.driver);
      await refused(() => reader.lock('kept', { wait: Math.min(lockTtl * 1.5, 30_000) }), 'conflict', 'a wait beyond the deadline');
      expect([lock.held, lock.signal.aborted]).toEqual([true, false]);
      await settles(lock.release(), 'the release');
    }),

    proof('guarantee 5: after a pause held is right before any timer has run', { ways: onTwo, capable: briefTtls }, async context => {
      const { writer, ttl, expect } = context;
      const lock = await writer.lock('paused', { ttl });
      expect(lock.held).toBe(true);
      // The granted ttl may be rounded up to minTtl, and renewed just now; a second more is past all of it.
      block(ttl + 1000);
      expect([lock.held, lock.signal.aborted]).toEqual([false, true]);
      await lock.release();
    }),

    proof('a record that an operator removes is a loss, told as soon as the server says so', { ways: onTwo }, async context => {
      const { harness, base, bare, writer, reader, record, expect } = context;
      const held = record(writer.lock$('removed'));
      const lock = await held.first('the lock');
      const rival = record(reader.lock$('removed'));
      await evict(harness, await bare(), `${base}removed`);
      await held.fails('lock-lost', 'the removal');
      expect(lock.held).toBe(false);
      const next = await rival.next(({ held: ours }) => ours, 'the rival to get the lock');
      expect(next.fence).toBeGreaterThan(lock.fence);
    }),
  ],
};

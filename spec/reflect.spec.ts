import { Observable, Subject } from 'rxjs';
import { describe, expect, test, vi } from 'vitest';
import type { Feed } from '../src/driver.js';
import { KvError } from '../src/errors.js';
import { reflect$ } from '../src/reflect.js';
import type { Snapshot } from '../src/snapshot.js';
import { entry, texts } from './entries.js';

/** A feed that a spec speaks for, and what came of it. */
function reflected(): {
  say: (message: Feed) => void;
  cut: () => void;
  asked: (bigint | undefined)[];
  subscribe: () => { snapshots: Snapshot[]; errors: unknown[]; stop: () => void };
  live: () => boolean;
} {
  let feed = new Subject<Feed>();
  const asked: (bigint | undefined)[] = [];
  const source$ = reflect$('dir', since => {
    asked.push(since);
    feed = new Subject<Feed>();
    return feed;
  });
  return {
    say: message => feed.next(message),
    cut: () => feed.error(new KvError('unavailable', 'cut')),
    live: () => feed.observed,
    asked,
    subscribe: () => {
      const snapshots: Snapshot[] = [];
      const errors: unknown[] = [];
      const subscription = source$.subscribe({ next: snapshot => snapshots.push(snapshot), error: error => errors.push(error) });
      return { snapshots, errors, stop: () => subscription.unsubscribe() };
    },
  };
}

const reset = (revision: number, ...entries: ReturnType<typeof entry>[]): Feed => ({ type: 'reset', entries, revision: BigInt(revision) });

describe('the reflector', () => {
  test('asks for nothing before it is subscribed', () => {
    expect(reflected().asked).toEqual([]);
  });

  test('a reset is the current state, an empty one too', () => {
    const { say, subscribe } = reflected();
    const { snapshots } = subscribe();
    say(reset(1));
    expect(snapshots).toHaveLength(1);
    expect(snapshots[0]).toMatchObject({ size: 0, revision: 1n, directory: 'dir' });
  });

  test('a patch changes it as one', () => {
    const { say, subscribe } = reflected();
    const { snapshots } = subscribe();
    say(reset(1, entry('dir/a', '1', 1), entry('dir/b', '1', 1), entry('dir/c/x', '1', 1)));
    say({
      type: 'patch',
      revision: 2n,
      changes: [{ put: entry('dir/a', '2', 2) }, { delete: 'dir/b' }, { replace: 'dir/c/', entries: [entry('dir/c/y', '2', 2)] }],
    });
    expect(snapshots.map(texts)).toEqual([
      ['dir/a=1', 'dir/b=1', 'dir/c/x=1'],
      ['dir/a=2', 'dir/c/y=2'],
    ]);
    expect(snapshots[1]?.revision).toBe(2n);
  });

  test('guarantee 9: what changes nothing says nothing', () => {
    const { say, subscribe } = reflected();
    const { snapshots } = subscribe();
    say(reset(1, entry('dir/a', '1', 1)));
    say(reset(2, entry('dir/a', '1', 1)));
    say({ type: 'patch', revision: 3n, changes: [{ put: entry('dir/a', '1', 1) }, { delete: 'dir/z' }] });
    say({ type: 'mark', revision: 4n });
    expect(snapshots).toHaveLength(1);
  });

  test('guarantee 2: the revision never goes back', () => {
    const { say, subscribe } = reflected();
    const { snapshots } = subscribe();
    say(reset(10, entry('dir/a', '1', 9)));
    say(reset(5, entry('dir/a', '2', 5)));
    expect(snapshots.map(({ revision }) => revision)).toEqual([10n, 10n]);
  });

  test('after an error it resumes from the last revision that the feed said, marks included', () => {
    const { say, cut, asked, subscribe } = reflected();
    const first = subscribe();
    say(reset(1, entry('dir/a', '1', 1)));
    say({ type: 'mark', revision: 7n });
    cut();
    expect(first.errors).toHaveLength(1);
    const second = subscribe();
    expect(asked).toEqual([undefined, 7n]);
    expect(second.snapshots).toEqual([]);
    say({ type: 'mark' });
    expect(second.snapshots).toEqual(first.snapshots);
    expect(second.snapshots[0]).toBe(first.snapshots[0]);
  });

  test('a patch on resuming is on top of what it had, and unchanged entries stay the same objects', () => {
    const { say, cut, subscribe } = reflected();
    const first = subscribe();
    say(reset(1, entry('dir/a', '1', 1), entry('dir/b', '1', 1)));
    cut();
    const second = subscribe();
    say({ type: 'patch', revision: 3n, changes: [{ put: entry('dir/b', '2', 3) }] });
    expect(second.snapshots.map(texts)).toEqual([['dir/a=1', 'dir/b=2']]);
    expect(second.snapshots[0]?.get('dir/a')).toBe(first.snapshots[0]?.get('dir/a'));
  });

  test('a reset on resuming is reconciled: the same state is the very same snapshot', () => {
    const { say, cut, subscribe } = reflected();
    const first = subscribe();
    say(reset(1, entry('dir/a', '1', 1)));
    cut();
    const second = subscribe();
    say(reset(9, entry('dir/a', '1', 1)));
    expect(second.snapshots[0]).toBe(first.snapshots[0]);
  });

  test('signs of life while a reset loads are no state', () => {
    const { say, subscribe } = reflected();
    const { snapshots } = subscribe();
    say({ type: 'mark' });
    say({ type: 'mark', revision: 1n });
    expect(snapshots).toEqual([]);
  });

  test('an error before the first reset leaves nothing to resume from, though a mark had a revision', () => {
    const { say, cut, asked, subscribe } = reflected();
    const first = subscribe();
    say({ type: 'mark', revision: 7n });
    cut();
    expect(first.errors).toMatchObject([{ code: 'unavailable' }]);
    subscribe();
    expect(asked).toEqual([undefined, undefined]);
  });

  test('what the garbage collector has taken is asked for anew', () => {
    const { say, cut, asked, subscribe } = reflected();
    vi.stubGlobal(
      'WeakRef',
      class {
        deref(): undefined {}
      },
    );
    try {
      subscribe();
      say(reset(1, entry('dir/a', '1', 1)));
      cut();
      subscribe();
      expect(asked).toEqual([undefined, undefined]);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test('a clean unsubscribe forgets everything', () => {
    const { say, asked, subscribe, live } = reflected();
    const { stop } = subscribe();
    say(reset(1, entry('dir/a', '1', 1)));
    stop();
    expect(live()).toBe(false);
    subscribe();
    expect(asked).toEqual([undefined, undefined]);
  });

  test('a patch before the first reset is a defect of the driver', () => {
    const { say, subscribe } = reflected();
    const { errors } = subscribe();
    say({ type: 'patch', revision: 1n, changes: [] });
    expect(errors).toMatchObject([{ code: 'internal', message: 'a driver said a patch before the first reset' }]);
  });

  test('a feed that ends is an error, never a silent end', () => {
    const errors: unknown[] = [];
    const ending$ = new Observable<Feed>(subscriber => subscriber.complete());
    reflect$('', () => ending$).subscribe({ error: error => errors.push(error) });
    expect(errors).toMatchObject([{ code: 'unavailable', message: 'the feed ended' }]);
  });
});

import { describe, expect, test } from 'vitest';
import { KvError } from '../../../src/errors.js';
import type { Grant } from '../../../src/driver.js';
import { boot, put, Scene, sessionOf } from './scene.js';

describe('ops', () => {
  test('a put creates, and an overwrite keeps what created it', () => {
    const scene = new Scene();
    scene.commit([put('a', '1')]);
    scene.commit([put('b', '1')]);
    scene.commit([put('a', '2')]);
    expect(scene.entry('a')).toMatchObject({ revision: 3n, created: 1n, leased: false });
  });

  test('one transaction has one revision and one log record', () => {
    const scene = new Scene();
    scene.commit([put('a'), put('b')]);
    expect([scene.entry('a').revision, scene.entry('b').revision, scene.storage.head]).toEqual([1n, 1n, 1]);
    expect([...scene.storage.log(0)]).toEqual([{ revision: 1, changes: [{ put: 'a' }, { put: 'b' }] }]);
  });

  test('a delete says whether there was something, and of nothing it is no change', () => {
    const scene = new Scene();
    scene.commit([put('a')]);
    expect(scene.commit([{ delete: 'a' }])).toEqual({ ok: true, results: [{ existed: true }] });
    expect(scene.commit([{ delete: 'a' }])).toEqual({ ok: true, results: [{ existed: false }] });
    expect(scene.written).toBeUndefined();
    expect([...scene.storage.log(1)]).toEqual([{ revision: 2, changes: [{ delete: 'a' }] }]);
  });

  test('a deletePrefix is one record, spares neighbours and the root’s own records, and of nothing is no change', () => {
    const scene = new Scene();
    for (const key of ['a', 'a/x', 'a/y/z', 'ab', 'a-b', 'a.b', 'a0', '~rxkv/lock/k']) scene.commit([put(key)]);
    scene.commit([{ deletePrefix: 'a/' }]);
    expect([...scene.storage.log(8)]).toEqual([{ revision: 9, changes: [{ deletePrefix: 'a/' }] }]);
    expect([...scene.storage.rows('', undefined)].map(({ key }) => key)).toEqual(['a', 'a-b', 'a.b', 'a0', 'ab', '~rxkv/lock/k']);
    scene.commit([{ deletePrefix: '' }]);
    expect([...scene.storage.rows('', undefined)].map(({ key }) => key)).toEqual(['~rxkv/lock/k']);
    expect(scene.commit([{ deletePrefix: '' }])).toEqual({ ok: true, results: [{ existed: false }] });
    expect(scene.storage.head).toBe(10);
    scene.commit([{ deletePrefix: '~rxkv/lock/' }]);
    expect([...scene.storage.rows('', undefined)]).toEqual([]);
  });

  test('a store writes below its root only', () => {
    const scene = new Scene('app/');
    const other = new Scene();
    Object.assign(other, { storage: scene.storage });
    other.commit([put('ap/x'), put('app'), put('appx')]);
    scene.commit([put('k')]);
    scene.commit([{ deletePrefix: '' }]);
    expect([...scene.storage.rows('', undefined)].map(({ key }) => key)).toEqual(['ap/x', 'app', 'appx']);
  });
});

describe('checks', () => {
  test('an entry that is as it was read, and absence, let the transaction pass', () => {
    const scene = new Scene();
    scene.commit([put('a', '1')]);
    const entry = scene.entry('a');
    expect(
      scene.commit(
        [put('a', '2'), put('b')],
        [
          { key: 'a', entry },
          { key: 'b', entry: undefined },
        ],
      ).ok,
    ).toBe(true);
  });

  test('all that fail are told, with what is there, and nothing is written', () => {
    const scene = new Scene();
    scene.commit([put('a', '1')]);
    const stale = scene.entry('a');
    scene.commit([put('a', '2')]);
    const outcome = scene.commit(
      [put('c'), { delete: 'a' }],
      [
        { key: 'a', entry: stale },
        { key: 'a', entry: undefined },
        { key: 'gone', entry: stale },
        { key: 'c', entry: undefined },
      ],
    );
    const current = scene.entry('a');
    expect(outcome).toEqual({
      ok: false,
      failed: [
        { key: 'a', current },
        { key: 'a', current },
        { key: 'gone', current: undefined },
      ],
    });
    expect(outcome.ok ? [] : outcome.failed.map(check => 'current' in check)).toEqual([true, true, true]);
    expect([scene.written, scene.storage.head]).toEqual([undefined, 2]);
  });

  test('a lock that is still ours passes; one that is gone, or was had anew, fails without telling', () => {
    const scene = new Scene();
    const session = scene.begin('s', 5000);
    scene.commit([put('~rxkv/l/1', '', { session })]);
    const grant: Grant = { key: '~rxkv/l/1', fence: 1n, session };
    expect(scene.commit([put('a')], [{ held: grant }]).ok).toBe(true);
    scene.commit([{ delete: '~rxkv/l/1' }]);
    const refused = scene.commit([put('a')], [{ held: grant }]);
    expect(refused).toEqual({ ok: false, failed: [{ key: '~rxkv/l/1' }] });
    expect(refused.ok ? [] : Object.keys(refused.failed[0] ?? {})).toEqual(['key']);
    scene.commit([put('~rxkv/l/1', '', { session })]);
    expect(scene.commit([put('a')], [{ held: grant }]).ok).toBe(false);
  });
});

describe('a batch', () => {
  test('each transaction sees those before it, and has a revision of its own', () => {
    const scene = new Scene();
    const create = { checks: [{ key: 'a', entry: undefined }], ops: [put('a', '1')] };
    const outcomes = scene.batch(
      scene.step(create),
      scene.step(create),
      scene.step({ checks: [], ops: [{ delete: 'a' }] }),
      scene.step({ checks: [], ops: [{ delete: 'a' }] }),
      scene.step(create),
    );
    expect(outcomes.map(outcome => !KvError.is(outcome) && outcome.ok)).toEqual([true, false, true, true, true]);
    expect(outcomes[3]).toEqual({ ok: true, results: [{ existed: false }] });
    expect(scene.entry('a')).toMatchObject({ revision: 3n, created: 3n });
    expect([...scene.storage.log(0)].map(({ revision }) => revision)).toEqual([1, 2, 3]);
  });

  test('the table is told once of a key, with the row that stood before the batch', () => {
    const scene = new Scene();
    scene.commit([put('a', '0', { ttl: 500 })]);
    const before = scene.storage.row('a');
    scene.batch(...['1', '2'].map(value => scene.step({ checks: [], ops: [put('a', value), put('b', value)] })));
    expect(scene.written?.writes).toHaveLength(2);
    expect(scene.written?.writes[0]).toMatchObject({ before, put: { revision: 3, created: 1, expires: 0 } });
    scene.batch(scene.step({ checks: [], ops: [put('c')] }), scene.step({ checks: [], ops: [{ delete: 'c' }] }));
    expect(scene.written?.writes).toEqual([]);
    expect([scene.storage.row('c'), scene.storage.nextExpiry(), scene.storage.head]).toEqual([undefined, undefined, 5]);
  });

  test('a deletePrefix meets what the same batch has put, moved and deleted', () => {
    const scene = new Scene();
    scene.commit([put('d/1'), put('d/2')]);
    scene.batch(
      scene.step({ checks: [], ops: [put('d/3'), { delete: 'd/1' }, put('e')] }),
      scene.step({ checks: [], ops: [{ deletePrefix: 'd/' }] }),
      scene.step({ checks: [], ops: [put('d/4')] }),
    );
    expect([...scene.storage.rows('', undefined)].map(({ key }) => key)).toEqual(['d/4', 'e']);
  });

  test('a step that fails leaves no trace, and takes none of the others along', () => {
    const scene = new Scene();
    const [lost, fine] = scene.batch(
      scene.step({ checks: [], ops: [put('a'), put('b', '', { session: sessionOf('nobody') })] }),
      scene.step({ checks: [], ops: [put('c')] }),
    );
    expect(lost).toMatchObject({ code: 'session-lost' });
    expect(fine).toMatchObject({ ok: true });
    expect([...scene.storage.rows('', undefined)].map(({ key }) => key)).toEqual(['c']);
    expect([...scene.storage.log(0)]).toEqual([{ revision: 1, changes: [{ put: 'c' }] }]);
  });
});

describe('ttl', () => {
  test('a put without one makes a key permanent, keep keeps what it had, and a number counts from now', () => {
    const scene = new Scene();
    scene.commit([put('a', '1', { ttl: 500 }), put('b', '1', { ttl: 500 }), put('c', '1', { ttl: 500 })]);
    scene.at = { ...scene.at, wall: 1200 };
    scene.commit([put('a', '2'), put('b', '2', { ttl: 'keep' }), put('c', '2', { ttl: 500 })]);
    expect(['a', 'b', 'c'].map(key => [scene.entry(key).leased, scene.storage.row(key)?.expires])).toEqual([
      [false, 0],
      [true, 1500],
      [true, 1700],
    ]);
    expect(scene.commit([put('new', '', { ttl: 'keep' })]).ok && scene.entry('new').leased).toBe(false);
  });

  test('a key that is due counts as absent although nobody has swept it', () => {
    const scene = new Scene();
    scene.commit([put('a', '1', { ttl: 500 })]);
    const entry = scene.entry('a');
    scene.at = { ...scene.at, wall: 1500 };
    expect(scene.commit([put('a', '2')], [{ key: 'a', entry }])).toEqual({ ok: false, failed: [{ key: 'a', current: undefined }] });
    expect(scene.commit([put('a', '2', { ttl: 'keep' })], [{ key: 'a', entry: undefined }]).ok).toBe(true);
    expect(scene.entry('a')).toMatchObject({ revision: 2n, created: 2n, leased: false });
    expect(scene.storage.nextExpiry()).toBeUndefined();
  });

  test('deleting one that is due finds nothing, and yet tells those who still show it', () => {
    const scene = new Scene();
    scene.commit([put('a', '1', { ttl: 500 }), put('d/b', '1', { ttl: 500 })]);
    scene.at = { ...scene.at, wall: 1500 };
    expect(scene.commit([{ delete: 'a' }, { deletePrefix: 'd/' }])).toEqual({
      ok: true,
      results: [{ existed: false }, { existed: false }],
    });
    expect([...scene.storage.log(1)]).toEqual([{ revision: 2, changes: [{ delete: 'a' }, { deletePrefix: 'd/' }] }]);
    expect(scene.storage.nextExpiry()).toBeUndefined();
  });
});

describe('keys of a session', () => {
  test('they are leased, keep binds them on, and a plain put takes them off', () => {
    const scene = new Scene();
    const session = scene.begin('s', 5000);
    scene.commit([put('a', '1', { session }), put('b', '1', { session })]);
    scene.commit([put('a', '2', { ttl: 'keep' }), put('b', '2')]);
    expect([scene.entry('a').leased, scene.entry('b').leased]).toEqual([true, false]);
    expect([...scene.storage.owned('s')]).toEqual(['a']);
  });

  test('they look absent once the session is over by its deadline, and a put under it is session-lost', () => {
    const scene = new Scene();
    const session = scene.begin('s', 2000);
    scene.commit([put('a', '1', { session })]);
    scene.at = { ...scene.at, monotonic: 2000 };
    expect(scene.commit([], [{ key: 'a', entry: undefined }]).ok).toBe(true);
    expect(scene.batch(scene.step({ checks: [], ops: [put('b', '', { session })] }))).toMatchObject([{ code: 'session-lost' }]);
  });

  test('a session of another boot is over, and one from the future where boots cannot be told', () => {
    const scene = new Scene();
    const session = scene.begin('s', 5000);
    scene.commit([put('a', '1', { session })]);
    const absent = (): boolean => scene.commit([], [{ key: 'a', entry: undefined }]).ok;
    scene.at = { ...scene.at, boot: 'another' };
    expect(absent()).toBe(true);
    // Renewed at 5000 - 100 - 50: before that, the clock has started anew.
    scene.at = { ...scene.at, boot: '', monotonic: 4000 };
    expect(absent()).toBe(true);
    scene.at = { ...scene.at, boot: '', monotonic: 4850 };
    expect(absent()).toBe(false);
    scene.at = { ...scene.at, boot };
    expect(absent()).toBe(false);
  });
});

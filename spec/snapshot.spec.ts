import { inspect } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import { bytes, json } from '../src/codec.js';
import type { Entry } from '../src/entry.js';
import { applyChanges, emptySnapshot, project, reconcile, type Snapshot, snapshotOf, treeOf, walk } from '../src/snapshot.js';

function entry(key: string, value = key, revision = 1n): Entry {
  return { key, value: new TextEncoder().encode(value), revision, created: 1n, leased: false };
}

function snapshot(...keys: string[]): Snapshot {
  return snapshotOf(
    '',
    keys.map(key => entry(key)),
    7n,
  );
}

function numbered(n: number, directory = 'dir'): Entry[] {
  return Array.from({ length: n }, (_, i) => entry(`${directory}/${String(i).padStart(6, '0')}`));
}

describe('snapshotOf', () => {
  test('orders the entries, and of a key that comes twice the last one counts', () => {
    const made = snapshotOf('d', new Set([entry('d/b'), entry('d/a', 'first'), entry('d/a', 'last')]), 3n);

    expect([...made.keys()]).toEqual(['d/a', 'd/b']);
    expect(made.toObject()).toEqual({ a: 'last', b: 'd/b' });
    expect(made).toMatchObject({ directory: 'd', revision: 3n, size: 2 });
  });

  test('keeps the entry objects and lists them in key order by all three ways', () => {
    const a = entry('a');
    const b = entry('b');
    const made = snapshotOf('', [b, a], 1n);

    expect(made.get('a')).toBe(a);
    expect([...made]).toEqual([a, b]);
    expect([...made.entries()]).toEqual([a, b]);
    expect([...made.keys()]).toEqual(['a', 'b']);
  });

  test('is untouched by what happens to the array afterwards', () => {
    const entries = [entry('a')];
    const made = snapshotOf('', entries, 1n);
    entries.push(entry('b'));

    expect(made.size).toBe(1);
  });
});

describe('get and has', () => {
  test('accept slashes around the key, and prefer the key as it is', () => {
    const made = snapshot('a/b', '/odd');

    expect(made.get('/a/b')?.key).toBe('a/b');
    expect(made.get('a/b/')?.key).toBe('a/b');
    expect(made.has('/a/b//')).toBe(true);
    expect(made.get('/odd')?.key).toBe('/odd');
  });

  test('what is no key is just not there', () => {
    const made = snapshot('a');

    expect(made.get('')).toBeUndefined();
    expect(made.get('/')).toBeUndefined();
    expect(made.get('a//b')).toBeUndefined();
    expect(made.has('b')).toBe(false);
  });
});

describe('children', () => {
  test('a name can be a key, a directory, or both at once', () => {
    const made = snapshot('a', 'a/b/c', 'd/e', 'f');

    expect(made.children()).toEqual([
      { name: 'a', key: 'a', directory: true, entry: made.get('a') },
      { name: 'd', key: 'd', directory: true },
      { name: 'f', key: 'f', directory: false, entry: made.get('f') },
    ]);
  });

  test('are ordered by name, though "a-b" sorts between "a" and "a/b" as a key', () => {
    const made = snapshot('a-b', 'a.b', 'a/b', 'a', 'a0');

    expect(made.children().map(({ name }) => name)).toEqual(['a', 'a-b', 'a.b', 'a0']);
    expect(
      snapshot('a/b', 'a-b')
        .children()
        .map(({ name }) => name),
    ).toEqual(['a', 'a-b']);
  });

  test("are those of the snapshot's own directory unless told", () => {
    const made = snapshotOf('top', [entry('top/a'), entry('top/sub/b'), entry('top/sub/c/d')], 1n);

    expect(made.children().map(({ name }) => name)).toEqual(['a', 'sub']);
    expect(made.children('top/sub').map(({ key }) => key)).toEqual(['top/sub/b', 'top/sub/c']);
    expect(made.children('/top/sub/')).toEqual(made.children('top/sub'));
    expect(made.children('/').map(({ name }) => name)).toEqual(['top']);
  });

  test('an absent directory has none, nor has a key or a name that only begins alike', () => {
    const made = snapshot('a/b', 'ab');

    expect(made.children('nothing')).toEqual([]);
    expect(made.children('a/b')).toEqual([]);
    expect(made.children('a').map(({ key }) => key)).toEqual(['a/b']);
  });

  test('a big directory on the way is stepped over', () => {
    let looks = 0;
    const counted = numbered(10_000, 'big').map(one => ({
      ...one,
      get key() {
        looks++;
        return one.key;
      },
    }));
    const made = snapshotOf('', [entry('a'), ...counted, entry('z')], 1n);
    looks = 0;

    expect(made.children().map(({ name }) => name)).toEqual(['a', 'big', 'z']);
    expect(looks).toBeLessThan(100);
  });
});

describe('toObject', () => {
  const config = snapshotOf('config', [entry('config/colour', 'blue'), entry('config/http/port', '80')], 1n);

  test('is flat, relative to the directory, and text unless told', () => {
    expect(config.toObject()).toEqual({ colour: 'blue', 'http/port': '80' });
    expect(config.toObject(bytes).colour).toBe(config.get('config/colour')?.value);
    expect(Object.keys(snapshot('a/b').toObject())).toEqual(['a/b']);
  });

  test('has no prototype, so that any name is only a name', () => {
    const made = snapshot('__proto__', 'constructor').toObject();

    expect(Object.getPrototypeOf(made)).toBeNull();
    expect(Object.keys(made)).toEqual(['__proto__', 'constructor']);
    expect(made['toString']).toBeUndefined();
  });

  test('names the key of a value that the codec refuses, and never the value', () => {
    const made = snapshotOf('', [entry('a', '1'), entry('b', 'hunter2')], 1n);

    expect(() => made.toObject(json())).toThrow(expect.objectContaining({ code: 'undecodable', key: 'b', transient: false }));
    expect(() => made.toObject(json())).not.toThrow('hunter2');
  });

  test('refuses what is no codec', () => {
    for (const codec of [{}, null, 5]) expect(() => config.toObject(codec as never)).toThrow(expect.objectContaining({ code: 'invalid' }));
  });

  test('refuses a codec that answers later, whose failure goes nowhere', () => {
    const later = { encode: (value: never) => value, decode: () => Promise.reject(new Error('late')) };

    expect(() => config.toObject(later)).toThrow(
      expect.objectContaining({ code: 'invalid', key: [...config.keys()][0], message: expect.stringContaining('use decode()') }),
    );
  });
});

describe('project', () => {
  const source = snapshotOf('app', [entry('app/a'), entry('app/b/c'), entry('app/b/d/e')], 5n);

  test('a view that shows all under the same names is the source itself', () => {
    expect(project(source, { directory: 'app', strip: 0 })).toBe(source);
  });

  test('keys are relative to the view', () => {
    const view = project(source, { directory: '', strip: 4 });

    expect([...view.keys()]).toEqual(['a', 'b/c', 'b/d/e']);
    expect(view.get('b/c')).toEqual({ ...entry('app/b/c'), key: 'b/c' });
    expect(view).toMatchObject({ directory: '', revision: 5n, size: 3 });
    expect(view.children('b').map(({ name }) => name)).toEqual(['c', 'd']);
  });

  test("depth counts segments below the source's directory", () => {
    expect([...project(source, { directory: 'app', strip: 0, depth: 1 }).keys()]).toEqual(['app/a']);
    expect([...project(source, { directory: '', strip: 4, depth: 2 }).keys()]).toEqual(['a', 'b/c']);
    expect([...project(snapshot('a', 'b/c'), { directory: '', strip: 0, depth: 1 }).keys()]).toEqual(['a']);
  });

  test('what it showed before is kept, and is given back whole when nothing in view changed', () => {
    const view = { directory: '', strip: 4, depth: 1 };
    const output = project(source, view);
    const deeper = applyChanges(source, [{ put: entry('app/b/new') }], 6n);
    const wider = applyChanges(deeper, [{ put: entry('app/z') }, { delete: 'app/b/c' }], 7n);
    const after = project(wider, view, { source: deeper, output });

    expect(project(deeper, view, { source, output })).toBe(output);
    expect([...after.keys()]).toEqual(['a', 'z']);
    expect(after.get('a')).toBe(output.get('a'));
    expect(after.revision).toBe(7n);
  });

  test('many changes at a time end in the same view', () => {
    const view = { directory: 'seen', strip: 0, depth: 2 };
    const first = snapshotOf('', numbered(100), 1n);
    const output = project(first, view);
    const second = snapshotOf('', [...numbered(50), ...numbered(50, 'other'), entry('dir/000010/deep')], 2n);
    const after = project(second, view, { source: first, output });

    expect([...after]).toEqual([...project(second, view)]);
    expect(after.get('dir/000001')).toBe(output.get('dir/000001'));
  });
});

describe('walk', () => {
  const one = snapshotOf('', [entry('a'), entry('b')], 1n);
  const two = applyChanges(one, [{ put: entry('a', 'new', 2n) }], 2n);
  const three = applyChanges(two, [{ put: entry('c', 'c', 3n) }], 3n);

  test('visits what one put changed, added or modified', () => {
    expect(visits(one, two)).toEqual(['~a']);
    expect(visits(two, three)).toEqual(['+c']);
  });

  test('visits what differs between any other two', () => {
    expect(visits(one, three)).toEqual(['~a', '+c']);
    expect(visits(three, two)).toEqual(['-c']);
    expect(visits(two, one)).toEqual(['~a']);
    expect(visits(undefined, three)).toEqual(['+a', '+b', '+c']);
  });

  test('an absent snapshot is as an empty one to what one put made of that', () => {
    const first = applyChanges(emptySnapshot('', 1n), [{ put: entry('d') }], 2n);

    expect(visits(emptySnapshot('', 1n), first)).toEqual(['+d']);
    expect(visits(undefined, first)).toEqual(['+d']);
  });
});

function visits(before: Snapshot | undefined, after: Snapshot): string[] {
  const seen: string[] = [];
  walk(before, after, (previous, next) => {
    seen.push(`${previous === undefined ? '+' : next === undefined ? '-' : '~'}${(previous ?? next)?.key}`);
  });
  return seen;
}

describe('across copies and loggers', () => {
  test('a snapshot of another copy of the package is read by its tree, and shares it with what comes of it', async () => {
    vi.resetModules();
    const other = await import('../src/snapshot.js');
    const theirs = other.snapshotOf('dir', numbered(100), 1n);
    const ours = applyChanges(theirs, [{ put: entry('dir/000099', 'new', 2n) }], 2n);

    expect(other.snapshotOf).not.toBe(snapshotOf);
    expect(theirs.constructor).not.toBe(snapshot().constructor);
    expect(treeOf(theirs)).toBe((theirs as unknown as Record<symbol, { tree: unknown }>)[Symbol.for('rxkv.tree.3')]?.tree);
    expect(treeOf(ours)?.left).toBe(treeOf(theirs)?.left);
    expect(reconcile(theirs, numbered(100), 2n)).toBe(theirs);
  });

  test('a snapshot behind a proxy is one still', () => {
    const before = new Proxy(snapshotOf('dir', numbered(100), 1n), {});
    const after = applyChanges(before, [{ put: entry('dir/000099', 'new', 2n) }], 2n);

    expect(before.get('dir/000001')?.key).toBe('dir/000001');
    expect([...before]).toEqual(numbered(100));
    expect(visits(before, after)).toEqual(['~dir/000099']);
  });

  test('a fake without a tree is read by iterating it', () => {
    const fake = [entry('b'), entry('a')] as unknown as Snapshot;

    expect(treeOf(fake)?.size).toBe(2);
  });

  test('neither JSON nor inspection shows the entries', () => {
    const made = snapshotOf('config', [entry('config/password', 'hunter2')], 7n);

    expect(JSON.stringify(made)).toBe('{"directory":"config","revision":"7","size":1}');
    expect(inspect(made, { depth: 9 })).not.toContain('password');
    expect(Object.keys(made)).toEqual(['directory', 'revision', 'size']);
  });
});

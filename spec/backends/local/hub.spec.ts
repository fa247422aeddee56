import { filter, Subscription, take } from 'rxjs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Hub } from '../../../src/backends/local/hub.js';
import type { View } from '../../../src/backends/local/table.js';
import type { Range } from '../../../src/driver.js';
import { KvError } from '../../../src/errors.js';
import { hear, put, say, Scene } from './scene.js';
import { Keepers } from './timers.js';

class Watching extends Scene {
  readonly saw: string[] = [];
  readonly hub: Hub;
  private muted = false;

  constructor(root = '') {
    super(root);
    const news$ = this.table.news$.pipe(filter(() => !this.muted));
    this.hub = new Hub(Object.assign(this.table, { news$ }), this.keyspace, 'memory', row => this.saw.push(row.key));
  }

  hear(range: Range, since?: bigint): ReturnType<typeof hear> {
    return hear(this.hub.feed$(range, since));
  }

  /** Commits of which there are no news yet, as another process does. */
  unseen(...commits: readonly Parameters<Scene['commit']>[0][]): void {
    this.muted = true;
    for (const ops of commits) this.commit(ops);
    this.muted = false;
  }
}

describe('what a feed says', () => {
  test('the complete state first, then what concerns it, and nothing else', () => {
    const scene = new Watching('app/');
    scene.commit([put('a', '1'), put('d/x', '1')]);
    const all = scene.hear({ prefix: '' });
    const dir = scene.hear({ prefix: 'd/' });
    const key = scene.hear({ key: 'a' });
    const absent = scene.hear({ key: 'd' });
    scene.commit([put('a', '2')]);
    scene.commit([put('d/x', '2'), put('d/y', '2'), { delete: 'a' }]);
    scene.commit([put('dd/x', '1'), put('~rxkv/lock/j/1', '1')]);
    expect(all).toEqual(['reset 1: a=1 d/x=1', 'patch 2: +a=2', 'patch 3: +d/x=2 +d/y=2 -a', 'patch 4: +dd/x=1']);
    expect(dir).toEqual(['reset 1: d/x=1', 'patch 3: +d/x=2 +d/y=2']);
    expect(key).toEqual(['reset 1: a=1', 'patch 2: +a=2', 'patch 3: -a']);
    expect(absent).toEqual(['reset 1:']);
  });

  test('the store’s own records are told inside of them only', () => {
    const scene = new Watching('app/');
    const own = scene.hear({ prefix: '~rxkv/lock/j/' });
    const all = scene.hear({ prefix: '' });
    scene.commit([put('~rxkv/lock/j/1', '1')]);
    scene.commit([{ deletePrefix: '' }]);
    scene.commit([put('a', '1')]);
    scene.commit([{ deletePrefix: '' }]);
    scene.commit([{ deletePrefix: '~rxkv/lock/' }]);
    expect(own).toEqual(['reset 0:', 'patch 1: +~rxkv/lock/j/1=1', 'patch 4: ~~rxkv/lock/j/()']);
    expect(all).toEqual(['reset 0:', 'patch 2: +a=1', 'patch 3: ~()']);
  });

  test('many commits since the last look are one patch at the head, with entries that all share', () => {
    const scene = new Watching();
    const entries: unknown[] = [];
    const all = scene.hear({ prefix: '' });
    const dir = scene.hear({ prefix: 'd/' });
    for (const range of [{ prefix: '' }, { prefix: 'd/' }, { key: 'd/x' }])
      scene.hub.feed$(range).subscribe(message => {
        if (message.type === 'patch') entries.push(...message.changes.map(change => ('put' in change ? change.put : undefined)));
      });
    scene.unseen([put('d/x', '1')], [put('d/x', '2'), put('d/gone', '1')], [{ delete: 'd/gone' }]);
    scene.hub.wake();
    expect(all).toEqual(['reset 0:', 'patch 3: +d/x=2 -d/gone']);
    expect(dir).toEqual(all);
    expect(new Set(entries.filter(entry => entry !== undefined)).size).toBe(1);
  });

  test('a deleted prefix is what stands there now, clipped to the range', () => {
    const scene = new Watching();
    scene.commit([put('a/1'), put('a/b/1'), put('a/b/c/1'), put('z')]);
    const [root, above, same, below, key, beside] = [
      { prefix: '' },
      { prefix: 'a/' },
      { prefix: 'a/b/' },
      { prefix: 'a/b/c/' },
      { key: 'a/b/1' },
      { prefix: 'a/x/' },
    ].map(range => scene.hear(range));
    scene.unseen([{ deletePrefix: 'a/b/' }], [put('a/b/2', 'new'), put('z', 'new')]);
    scene.hub.wake();
    expect(root?.at(-1)).toBe('patch 3: ~a/b/(a/b/2=new) +z=new');
    expect(above?.at(-1)).toBe('patch 3: ~a/b/(a/b/2=new)');
    expect(same?.at(-1)).toBe('patch 3: ~a/b/(a/b/2=new)');
    expect(below?.at(-1)).toBe('patch 3: ~a/b/c/()');
    expect(key?.at(-1)).toBe('patch 3: -a/b/1');
    expect(beside).toEqual(['reset 1:']);
  });

  test('what a store of another root deletes around or across ours is told rightly', () => {
    const outer = new Watching();
    const inner = new Watching('app/');
    const odd = new Watching('ap');
    for (const scene of [inner, odd]) Object.assign(scene, { storage: outer.storage, table: outer.table });
    const seen = [inner, odd].map(scene => hear(new Hub(outer.table, scene.keyspace, 'memory', () => {}).feed$({ prefix: '' })));
    outer.commit([put('app/k', '1'), put('app/l', '1')]);
    outer.commit([{ deletePrefix: 'app/' }]);
    outer.commit([put('app/k', '2')]);
    outer.commit([{ deletePrefix: '' }]);
    expect(seen[0]).toEqual(['reset 0:', 'patch 1: +k=1 +l=1', 'patch 2: ~()', 'patch 3: +k=2', 'patch 4: ~()']);
    expect(seen[1]).toEqual(['reset 0:', 'patch 1: +p/k=1 +p/l=1', 'patch 2: ~p/()', 'patch 3: +p/k=2', 'patch 4: ~()']);
  });

  test('what is due when it is read is told as deleted', () => {
    const scene = new Watching();
    const all = scene.hear({ prefix: '' });
    scene.at = { ...scene.at, wall: Date.now() - 1000 };
    scene.commit([put('a', '1', { ttl: 10 }), put('b', '1', { ttl: 100_000 })]);
    expect(all).toEqual(['reset 0:', 'patch 1: -a +b=1']);
    expect(scene.saw).toEqual(['b']);
  });

  test('records of others that are no keys are left out', () => {
    const scene = new Watching();
    const all = scene.hear({ prefix: '' });
    scene.commit([put('a//b'), put('a')]);
    scene.commit([put('x/../y')]);
    expect(all).toEqual(['reset 0:', 'patch 1: +a=x']);
  });
});

describe('since', () => {
  const missed = (since: bigint, range: Range = { prefix: 'd/' }): string[] => {
    const scene = new Watching();
    scene.commit([put('d/1')]);
    scene.commit([put('e/1')]);
    scene.storage.compact();
    scene.commit([put('d/2')]);
    scene.commit([put('e/2')]);
    return scene.hear(range, since);
  };

  test('the head is a mark at once', () => expect(missed(4n)).toEqual(['mark 4']));
  test('what the range has missed is a patch', () => expect(missed(2n)).toEqual(['patch 4: +d/2=x']));
  test('nothing missed in the range is a mark', () => expect(missed(3n)).toEqual(['mark 4']));
  test('from before the log begins is a reset', () => expect(missed(1n)).toEqual(['reset 4: d/1=x d/2=x']));
  test('from beyond the head is a reset, since what was seen there is lost', () => expect(missed(5n)).toEqual(['reset 4: d/1=x d/2=x']));
  test('holds for a key alike', () => {
    expect(missed(2n, { key: 'd/2' })).toEqual(['patch 4: +d/2=x']);
    expect(missed(2n, { key: 'd/1' })).toEqual(['mark 4']);
  });

  test('a deleted prefix that was missed is told', () => {
    const scene = new Watching();
    scene.commit([put('d/1'), put('d/e/1')]);
    scene.commit([{ deletePrefix: 'd/' }]);
    expect(scene.hear({ prefix: 'd/e/' }, 1n)).toEqual(['patch 2: ~d/e/()']);
    expect(scene.hear({ key: 'd/1' }, 1n)).toEqual(['patch 2: -d/1']);
  });

  test('a log that was trimmed under a running feed is a reset', () => {
    const scene = new Watching();
    const all = scene.hear({ prefix: '' });
    const key = scene.hear({ key: 'b' });
    scene.unseen([put('a')], [put('b')]);
    scene.storage.compact();
    scene.hub.wake();
    expect(all).toEqual(['reset 0:', 'reset 2: a=x b=x']);
    expect(key).toEqual(['reset 0:', 'reset 2: b=x']);
  });
});

describe('within next', () => {
  test('a feed may end, itself and others', () => {
    const scene = new Watching();
    const others = new Subscription();
    const heard: string[] = [];
    scene.hub.feed$({ prefix: '' }).subscribe(message => {
      if (message.type === 'patch') others.unsubscribe();
    });
    others.add(scene.hub.feed$({ prefix: '' }).subscribe(message => heard.push(say(message))));
    const once = hear(scene.hub.feed$({ prefix: '' }).pipe(take(1)));
    scene.commit([put('a')]);
    scene.commit([put('b')]);
    expect(heard).toEqual(['reset 0:']);
    expect(once).toEqual(['reset 0:', 'complete']);
  });

  test('a feed that is started there misses nothing and says nothing twice', () => {
    const scene = new Watching();
    let nested: string[] | undefined;
    scene.hub.feed$({ prefix: '' }).subscribe(message => {
      if (message.type === 'patch') nested ??= scene.hear({ prefix: '' });
    });
    const after = scene.hear({ prefix: '' });
    scene.commit([put('a')]);
    scene.commit([put('b')]);
    expect(nested).toEqual(['reset 1: a=x', 'patch 2: +b=x']);
    expect(after).toEqual(['reset 0:', 'patch 1: +a=x', 'patch 2: +b=x']);
  });

  test('a commit made there is told after what is being said, to everybody in order', () => {
    const scene = new Watching();
    scene.hub.feed$({ prefix: '' }).subscribe(message => {
      if (message.type === 'patch' && message.revision === 1n) scene.commit([put('b')]);
    });
    const after = scene.hear({ prefix: '' });
    scene.commit([put('a')]);
    expect(after).toEqual(['reset 0:', 'patch 1: +a=x', 'patch 2: +b=x']);
  });

  test('a feed that starts while news are due brings the others up to it first', () => {
    const scene = new Watching();
    const first = scene.hear({ prefix: '' });
    scene.unseen([put('a')]);
    const second = scene.hear({ prefix: '' });
    scene.commit([put('b')]);
    expect(first).toEqual(['reset 0:', 'patch 1: +a=x', 'patch 2: +b=x']);
    expect(second).toEqual(['reset 1: a=x', 'patch 2: +b=x']);
  });
});

describe('lifetime', () => {
  test('a feed keeps the process alive, and the last to end lets go', () => {
    const keepers = new Keepers();
    onTestFinished(() => keepers.restore());
    const scene = new Watching();
    const feeds = [scene.hear({ prefix: '' }), scene.hear({ key: 'a' })];
    expect(keepers.count).toBe(1);
    for (const feed of feeds) feed.stop();
    expect(keepers.count).toBe(0);
    scene.commit([put('a')]);
    expect(feeds.map(heard => heard.length)).toEqual([1, 1]);
  });

  test('a table that cannot be read is an error of every feed, and nothing is followed any more', () => {
    const keepers = new Keepers();
    onTestFinished(() => keepers.restore());
    const scene = new Watching();
    const feeds = [scene.hear({ prefix: '' }), scene.hear({ key: 'a' })];
    const view = scene.table.view.bind(scene.table);
    scene.table.view = (): View => {
      throw new KvError('unavailable', 'broken');
    };
    scene.commit([put('a')]);
    const late = scene.hear({ prefix: '' });
    expect([...feeds, late].map(heard => heard.at(-1))).toEqual(Array(3).fill('error unavailable'));
    expect(keepers.count).toBe(0);
    scene.table.view = view;
    expect(scene.hear({ prefix: '' })).toEqual(['reset 1: a=x']);
  });

  test('a change costs what it touches, not what there are feeds', () => {
    const cost = (feeds: number): number => {
      const scene = new Watching();
      let reads = 0;
      const row = scene.storage.row.bind(scene.storage);
      scene.storage.row = key => {
        reads++;
        return row(key);
      };
      for (let i = 0; i < feeds; i++) for (const range of [{ key: `d${i}/x` }, { prefix: `d${i}/` }]) scene.hear(range);
      scene.commit(Array.from({ length: 100 }, (_, i) => put(`other/${i}`)));
      reads = 0;
      // Of the processor: what else the machine does is no matter of ours.
      const before = process.cpuUsage();
      for (let i = 0; i < 200; i++) scene.commit([put('other/1'), put('d1/x')]);
      const { user, system } = process.cpuUsage(before);
      expect(reads).toBeLessThan(200 * 10);
      return (user + system) / 1000;
    };
    cost(10);
    const few = cost(10);
    // Ten thousand feeds walked for each of 200 commits would take a hundred times as long, every time.
    expect(Math.min(cost(5000), cost(5000), cost(5000))).toBeLessThan(Math.max(few, 5) * 20);
  });
});

/**
 * One process of a soak, with a store of its own on the folder: a writer, a reader or a candidate for a lock.
 * It works until it is told to stop, and says what it has done, so that the whole can be added up.
 */
import { createStore, diff, KvError, retryTransient, text } from '../../dist/esm/index.js';
import { lmdb } from '../../dist/esm/backends/lmdb/index.js';
import { digest } from './digest.mjs';
import { numbers } from './numbers.mjs';

const { role, name, path, history, seed } = JSON.parse(process.argv[2]);
const store = createStore(lmdb({ path, history }), { timeout: 20_000 });
const draw = numbers(seed);
const say = message => process.send(message);

let stopping = false;
const asked = new Map([['stop', () => (stopping = true)]]);
process.on('message', ({ ask }) => asked.get(ask)?.());
// Whoever started it is gone.
process.on('disconnect', () => process.exit());
const pulse = setInterval(() => say({ heap: process.memoryUsage().heapUsed, rss: process.memoryUsage().rss }), 1000);

/** Counts what became of a write: a failure whose outcome is unknown may have been applied. */
async function counted(tally, write) {
  try {
    await write();
    tally.acknowledged++;
  } catch (error) {
    if (!KvError.is(error) || !error.transient) throw error;
    if (error.outcome === 'unknown') tally.unknown++;
    else tally.refused++;
  }
}

const newTally = () => ({ acknowledged: 0, unknown: 0, refused: 0 });

const roles = {
  /** Puts, deletes, lets expire, writes pairs at once, and counts: its own counter, and one that all writers share. */
  async writer() {
    const tallies = { own: newTally(), shared: newTally(), other: newTally() };
    let own = 0;
    const other = () => {
      const key = `tree/${draw(10)}/${draw(100)}`;
      const kind = draw(100);
      if (kind < 3) return store.deleteTree(`tree/${draw(10)}`);
      if (kind < 20) return store.delete(key);
      if (kind < 30) return store.put(`tree/short/${name}-${draw(50)}`, `${kind}`, { ttl: 100 + draw(900) });
      if (kind < 40) {
        const value = `${name} ${draw(1_000_000)}`;
        return store.transaction({ ops: ['left', 'right'].map(side => ({ put: `tree/pair/${side}`, value })) });
      }
      return store.put(key, `${name} `.repeat(1 + draw(kind === 99 ? 4000 : 40)));
    };
    while (!stopping) {
      await Promise.all([
        counted(tallies.own, () => store.put(`count/${name}`, `${++own}`)),
        counted(tallies.shared, () => store.update('count/shared', current => `${Number(text(current) ?? 0) + 1}`)),
        ...Array.from({ length: 10 }, () => counted(tallies.other, other)),
      ]);
      // A machine has other things to do.
      await new Promise(resolve => setTimeout(resolve, 2));
    }
    say({ wrote: { ...tallies, value: own } });
  },

  /** Follows a directory twice, by snapshots and by their differences; says what either has come to when asked. */
  async reader() {
    const built = new Map();
    let snapshot;
    let torn = 0;
    let changes = 0;
    const subscriptions = [
      store
        .watchTree$('tree')
        .pipe(retryTransient())
        .subscribe(next => {
          snapshot = next;
          if (text(next.get('tree/pair/left')) !== text(next.get('tree/pair/right'))) torn++;
        }),
      store
        .watchTree$('tree')
        .pipe(retryTransient(), diff())
        .subscribe(({ type, key, entry }) => {
          changes++;
          if (type === 'deleted') built.delete(key);
          else built.set(key, text(entry));
        }),
    ];
    asked.set('state', () => {
      const seen = [...(snapshot ?? [])].map(entry => [entry.key, text(entry)]);
      say({ state: { snapshot: digest(seen), built: digest([...built]), torn, changes } });
    });
    await new Promise(resolve => asked.set('stop', resolve));
    for (const subscription of subscriptions) subscription.unsubscribe();
  },

  /** Takes the lock again and again, and counts with it what only a single holder could count right. */
  async candidate() {
    while (!stopping) {
      try {
        await store.withLock(
          'job',
          async lock => {
            const last = await store.get('locked/fence');
            if (last !== undefined && BigInt(text(last)) >= lock.fence) say({ fault: `fence ${lock.fence} after ${text(last)}` });
            await store.put('locked/fence', `${lock.fence}`, { lock });
            const before = Number(text(await store.get('locked/count')) ?? 0);
            // Time in which a second holder would read the same.
            if (draw(4) === 0) await new Promise(resolve => setTimeout(resolve, draw(10)));
            say({ entering: before + 1 });
            await store.put('locked/count', `${before + 1}`, { lock });
            say({ section: before + 1 });
          },
          { ttl: 1000, wait: 5000 },
        );
      } catch (error) {
        // Lost to a machine that was too busy, or refused because of that: nothing was written then.
        if (!KvError.is(error) || !['lock-lost', 'session-lost', 'conflict', 'timeout'].includes(error.code)) throw error;
        say({ lost: error.code });
      }
    }
  },
};

say({ ready: true });
await roles[role]();
clearInterval(pulse);
await store.close();
say({ done: true });
process.disconnect();

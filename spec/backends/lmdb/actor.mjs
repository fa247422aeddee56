/**
 * A user's process with one store on a folder. `argument.role` says what it does; it talks in lines of JSON and
 * hears them on stdin.
 */
import { createInterface } from 'node:readline';
import { NEVER } from 'rxjs';
import { createStore, diff, KvError, retryTransient, text, whileLeading } from '../../../dist/esm/index.js';
import { lmdb } from '../../../dist/esm/backends/lmdb/index.js';

const argument = JSON.parse(process.argv[2]);
const store = createStore(lmdb({ path: argument.path }), argument.options);
const say = line => process.stdout.write(`${JSON.stringify(line)}\n`);
const codeOf = error => (KvError.is(error) ? error.code : String(error));

function hear(answer) {
  createInterface({ input: process.stdin }).on('line', line => answer(JSON.parse(line)));
}

const roles = {
  /** Holds a lock; asked to look, says whether it is held and what becomes of a write that needs it. */
  async holder({ key, ttl }) {
    const lock = await store.lock(key, { ttl, value: `${process.pid}` });
    let lost = false;
    lock.signal.addEventListener('abort', () => {
      lost = true;
      say({ lost: Date.now() });
    });
    hear(async () => {
      const held = lock.held;
      const told = lost;
      const write = await store.put(`${key}/written`, 'by the holder', { lock }).then(
        () => 'written',
        error => codeOf(error),
      );
      say({ looked: { held, told, aborted: lock.signal.aborted, write } });
    });
    say({ held: String(lock.fence) });
  },

  /** Campaigns, and leads until it is killed. */
  async candidate({ key, ttl, id }) {
    const leads = leadership => {
      say({ leads: String(leadership.fence) });
      return NEVER;
    };
    store.elect$(key, { id, ttl }).pipe(whileLeading(leads), retryTransient()).subscribe();
  },

  /** Writes pairs of keys for ever, each pair in one transaction; says which are acknowledged. */
  async writer({ name }) {
    for (let turn = 0; ; turn++) {
      await Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          const value = `${turn}`;
          await store.transaction({
            ops: [
              { put: `left/${name}-${i}`, value },
              { put: `right/${name}-${i}`, value },
            ],
          });
        }),
      );
      say({ acked: turn });
    }
  },

  /** Shows what a directory goes through. */
  async watcher({ directory }) {
    let synced = false;
    store.watchTree$(directory).subscribe(snapshot => {
      if (!synced) say({ watching: snapshot.size });
      synced = true;
    });
    store
      .watchTree$(directory)
      .pipe(diff())
      .subscribe(({ type, key, entry }) => say({ event: `${type} ${key}`, value: text(entry) }));
    hear(async () => {
      await store.close();
      process.stdin.destroy();
    });
  },

  /** Adds to a counter. */
  async counter({ key, times }) {
    for (let i = 0; i < times; i++) await store.update(key, current => `${Number(text(current) ?? 0) + 1}`, { timeout: 60_000 });
    say({ counted: times });
    await store.close();
  },

  /** Uses everything once and lets go; ends by itself when nothing is left. */
  async passerBy({ close }) {
    await store.put('a', '1');
    const subscriptions = [store.watch$('a'), store.watchTree$(''), store.leader$('l'), store.elect$('l', { id: 'x' })].map(stream$ =>
      stream$.subscribe(),
    );
    subscriptions.push(store.keepAlive$('alive', '', { ttl: 500 }).subscribe());
    await store.withLock('job', async () => store.put('b', '1'));
    await store.put('soon', 'gone', { ttl: 60_000 });
    for (const subscription of subscriptions) subscription.unsubscribe();
    if (close) await store.close();
    say({ done: true });
  },

  /** Opens stores on the folder and closes them again, while others of its own and of other processes write to it. */
  async reopener({ times, path }) {
    const passing = async i => {
      for (let time = 0; time < times; time++) {
        const passer = createStore(lmdb({ path, root: `root-${i % 2}` }));
        await passer.withLock('section', async lock => passer.put('sum', `${time}`, { lock }));
        await passer.close();
      }
    };
    await Promise.all([0, 1, 2, 3].map(passing));
    say({ reopened: times });
    await store.close();
  },

  /** Writes a key that expires, and dies. */
  async mayfly({ key, ttl }) {
    await store.put(key, 'short-lived', { ttl });
    process.kill(process.pid, 'SIGKILL');
  },
};

await roles[argument.role](argument);

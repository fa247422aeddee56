// A program that uses a store in one way and then ends, or does not: its exit is what is looked at.
import { createStore } from '../../../dist/esm/index.js';
import { zookeeper } from '../../../dist/esm/backends/zookeeper/index.js';

const { hosts, way } = JSON.parse(process.argv[2]);
const store = createStore(zookeeper({ hosts, tickTime: 500 }), { timeout: 1500, silence: 2000 });
const say = what => process.stdout.write(`${JSON.stringify(what)}\n`);
const heard = () =>
  new Promise(resolve => {
    process.stdin.once('data', () => {
      process.stdin.unref();
      resolve();
    });
  });

const ways = {
  'never used': () => store.close(),
  'in the same tick': () => {
    store.get('k').catch(() => {});
    return store.close();
  },
  idle: () => store.put('k', 'x', { ttl: 5000 }),
  'idle, its lock released': async () => {
    const lock = await store.lock('job');
    await lock.release();
  },
  'while the server is down': async () => {
    store.watch$('k').subscribe({ error() {} });
    await store.get('k');
    say({ ready: true });
    await heard();
    await store.close();
  },
  watching: async () => {
    store.watch$('k').subscribe(() => say({ ready: true }));
  },
};

await ways[way]();
say({ done: true });

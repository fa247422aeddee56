// Hosts LMDB drivers for another process: what that process's stores ask is carried out here, on connections of
// this process. Run from the built package, since a plain Node runs no TypeScript.
import { lmdb } from '../../../dist/esm/backends/lmdb/index.js';
import { Endings } from '../../../dist/esm/ending.js';
import { silent } from '../../../dist/esm/logger.js';

const drivers = new Map();
const endings = new Map();
const subscriptions = new Map();

const say = message => process.send(message);
const failure = ({ code, message, backend, key, outcome, conflicts }) => ({ code, message, backend, key, outcome, conflicts });

const kinds = {
  open: async (driver, options) => {
    drivers.set(driver, lmdb(options));
    endings.set(driver, new Endings());
    const { capabilities } = drivers.get(driver);
    return { capabilities };
  },
  start: async (driver, { timeout, silence }) => {
    drivers.get(driver).start({ timeout, silence, logger: silent, ending: work => endings.get(driver).add(work) });
  },
  ready: (driver, call) => drivers.get(driver).ready(call),
  list: (driver, query, call) => drivers.get(driver).list(query, call),
  commit: (driver, transaction, call) => drivers.get(driver).commit(transaction, call),
  health: (driver, call) => drivers.get(driver).health(call),
  close: driver => drivers.get(driver).close(),
};

const streams = {
  feed: (driver, range, since) => drivers.get(driver).feed$(range, since),
  session: (driver, ttl) => drivers.get(driver).session$(ttl),
};

process.on('message', async ({ id, kind, driver, args }) => {
  if (kind === 'unsubscribe') {
    const { subscription, timer } = subscriptions.get(id);
    subscriptions.delete(id);
    clearInterval(timer);
    await endings.get(driver).of(() => subscription.unsubscribe());
    say({ id, done: true });
    return;
  }
  if (kind in streams) {
    const followed = { subscription: undefined, timer: undefined };
    subscriptions.set(id, followed);
    followed.subscription = streams[kind](driver, ...args).subscribe({
      next: value => {
        if (kind === 'feed') {
          say({ id, next: value });
          return;
        }
        const tell = () => say({ id, next: { id: value.id, ttl: value.ttl, remaining: value.remaining() } });
        tell();
        // A session's time is told again and again, since the other process cannot look.
        followed.timer = setInterval(tell, Math.max(5, value.ttl / 10));
      },
      error: error => {
        clearInterval(followed.timer);
        say({ id, error: failure(error) });
      },
    });
    return;
  }
  try {
    say({ id, result: await kinds[kind](driver, ...args) });
  } catch (error) {
    say({ id, error: failure(error) });
  }
});
process.on('disconnect', () => process.exit());
say({ ready: true });

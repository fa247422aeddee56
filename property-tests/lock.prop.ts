import { fc, test } from '@fast-check/vitest';
import type { Subscription } from 'rxjs';
import { describe, expect } from 'vitest';
import { createWorld, memory, type World } from '../src/backends/memory/index.js';
import type { Driver } from '../src/driver.js';
import type { Lock, Store } from '../src/interface.js';
import { retryTransient } from '../src/operators/retry-transient.js';
import { createStore } from '../src/store.js';
import { inVirtualTime } from './virtual-time.js';

const ttl = 900;
const clients = 3;

type Step =
  | { readonly does: 'contend' | 'withdraw' | 'cut' | 'hang' | 'heal'; readonly client: number }
  | { readonly does: 'wait'; readonly ms: number }
  | { readonly does: 'expire' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      does: fc.constantFrom('contend', 'contend', 'withdraw', 'cut', 'hang', 'heal'),
      client: fc.nat({ max: clients - 1 }),
    }),
  },
  // From no time, in which only what needs none has happened, to several ttls.
  { weight: 4, arbitrary: fc.record({ does: fc.constant('wait'), ms: fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 3 * ttl })) }) },
);
const steps = fc.array(step, { maxLength: 40, size: 'max' });
const lossy = fc.array(fc.oneof({ weight: 8, arbitrary: step }, fc.constant<Step>({ does: 'expire' })), { maxLength: 40, size: 'max' });

/** One who contends for the lock, again whenever it was lost. */
class Contender {
  readonly store: Store;
  readonly driver: Driver;
  readonly held: Lock[] = [];
  private readonly acquired: (lock: Lock) => void;
  private contending: Subscription | undefined;

  constructor(world: World, acquired: (lock: Lock) => void) {
    this.driver = memory({ world });
    this.store = createStore(this.driver, { silence: 400, timeout: 300 });
    this.acquired = acquired;
  }

  get waits(): boolean {
    return this.contending !== undefined;
  }

  contend(): void {
    this.contending ??= this.store
      .lock$('job', { ttl })
      .pipe(retryTransient({ first: 50, most: 200, random: () => 0.5 }))
      .subscribe(lock => {
        this.held.push(lock);
        this.acquired(lock);
      });
  }

  withdraw(): void {
    this.contending?.unsubscribe();
    this.contending = undefined;
  }
}

/** Contends as the steps say; afterwards everything is healed and whoever still contends has had its time. */
async function contest(list: readonly Step[], acquired: (lock: Lock, all: readonly Contender[]) => void): Promise<void> {
  await inVirtualTime(async advance => {
    const world = createWorld();
    const all: Contender[] = [];
    for (let i = 0; i < clients; i++) all.push(new Contender(world, lock => acquired(lock, all)));
    for (const one of list) {
      if (one.does === 'wait') await advance(one.ms);
      else if (one.does === 'expire') world.expireSessions();
      else {
        const client = all[one.client] as Contender;
        if (one.does === 'contend') client.contend();
        else if (one.does === 'withdraw') client.withdraw();
        else world[one.does](client.driver);
      }
    }
    world.heal();
    await advance(10 * ttl);
    const holding = all.filter(({ held }) => held.some(lock => lock.held));
    expect(holding.length).toBe(all.some(({ waits }) => waits) ? 1 : 0);
    expect(holding.every(({ waits }) => waits)).toBe(true);
    for (const { store } of all) void store.close();
    await advance(1000);
  });
}

describe('locks on memory', () => {
  test.prop([steps])('mutual exclusion: nobody acquires while another still holds, whatever is cut and healed', async list => {
    await contest(list, (lock, all) => {
      const others = all.flatMap(({ held }) => held).filter(other => other !== lock);

      expect(others.filter(other => other.held)).toEqual([]);
      expect(others.every(other => other.signal.aborted)).toBe(true);
    });
  });

  test.prop([lossy])('fence: every grant has a higher one, also where sessions are ended from outside', async list => {
    let last = -1n;
    await contest(list, lock => {
      expect(lock.fence).toBeGreaterThan(last);
      last = lock.fence;
    });
  });
});

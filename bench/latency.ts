/** Latency: from a put to its event in a watched tree, beside what a bare commit takes at the same pace. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { diff, type Store } from 'rxkv';
import { clock } from './clock.js';
import { pick, valueOf } from './keys.js';
import { median } from './row.js';

/** Puts in a round. */
const puts = 200;
/** ms between two puts to another process, so that each finds it at rest. */
const pace = 4;

export interface LatencySides {
  readonly store: Store;
  /** What the store's commits are compared with. */
  readonly commit: (key: string, value: Uint8Array) => Promise<unknown>;
  readonly keys: readonly string[];
  readonly rounds: number;
}

/** p50 of each round, in ms. */
export interface Latencies {
  readonly commit: number[];
  readonly event: number[];
}

/** Puts one after the other, each awaited until its event, turn by turn with bare commits. */
export async function inOneProcess({ store, commit, keys, rounds }: LatencySides): Promise<Latencies> {
  let seen: (key: string) => void = () => {};
  const watching = store
    .watchTree$('services')
    .pipe(diff({ initial: 'skip' }))
    .subscribe(change => seen(change.key));
  const event = async (key: string): Promise<void> => {
    const told = new Promise<void>(resolve => {
      seen = which => which === key && resolve();
    });
    // The event may come before the answer; both are waited for, but the event alone is timed.
    const written = store.put(key, valueOf(clock()));
    await told;
    void written;
  };
  const latencies = await measured({ commit, event, keys, rounds, pace: 0 });
  watching.unsubscribe();
  return latencies;
}

/** The same with the watcher in another process, which tells how late each event was. */
export async function acrossProcesses({ store, commit, keys, rounds, path }: LatencySides & { readonly path: string }): Promise<Latencies> {
  const watcher = fork(fileURLToPath(new URL('watcher.js', import.meta.url)), [path], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  try {
    await once(watcher, 'message');
    const event = (key: string): Promise<unknown> => store.put(key, valueOf(clock()));
    const { commit: commits } = await measured({ commit, event, keys, rounds, pace });
    const late = await lateness(watcher, puts * (rounds + 1));
    const event50 = Array.from({ length: rounds }, (_, i) => median(late.slice(puts * (i + 1), puts * (i + 2))));
    return { commit: commits, event: event50 };
  } finally {
    watcher.kill();
  }
}

interface Measured {
  readonly commit: LatencySides['commit'];
  readonly event: (key: string) => Promise<unknown>;
  readonly keys: readonly string[];
  readonly rounds: number;
  readonly pace: number;
}

async function measured({ commit, event, keys, rounds, pace: rest }: Measured): Promise<Latencies> {
  const p50s: Latencies = { commit: [], event: [] };
  let turn = 0;
  for (let round = 0; round <= rounds; round++) {
    const taken: Latencies = { commit: [], event: [] };
    for (let i = 0; i < puts; i++) {
      const key = pick(keys, ++turn);
      for (const [list, work] of [
        [taken.commit, () => commit(key, valueOf(clock()))],
        [taken.event, () => event(key)],
      ] as const) {
        if (rest > 0) await pause(rest);
        const began = clock();
        await work();
        list.push(clock() - began);
      }
    }
    // The first round warms up.
    if (round === 0) continue;
    p50s.commit.push(median(taken.commit));
    p50s.event.push(median(taken.event));
  }
  return p50s;
}

/** ms, of each event that the watcher saw, in order; waits until it has seen `count`. */
async function lateness(watcher: ChildProcess, count: number): Promise<number[]> {
  const answer = once(watcher, 'message');
  watcher.send(count);
  const [late] = (await answer) as [number[]];
  return late;
}

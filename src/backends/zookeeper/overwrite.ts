/** Overwrites: puts of what is there already, which need no look at it before. */
import type { Outcome } from '../../driver.js';
import type { Write } from '../../networked.js';
import { isOverwrite, type Put, timeoutOf } from './batch.js';
import type { Route } from './call.js';
import { Fault, isFault, translated } from './errors.js';
import { entryOf, type Keyspace } from './keyspace.js';
import { type Step, transact } from './multi.js';
import { code } from './numbers.js';
import type { Settings } from './options.js';
import { setData, type Stat } from './wire.js';

export interface OverwritesOptions {
  readonly cluster: Route;
  readonly keyspace: Keyspace;
  readonly settings: Settings;
  /** Carries out the write in full, for what an overwrite does not do. */
  readonly settle: (write: Write) => Promise<Outcome>;
}

export class Overwrites {
  /** Whether keys were there of late when they were put. */
  hopeful = true;
  private readonly options: OverwritesOptions;

  constructor(options: OverwritesOptions) {
    this.options = options;
  }

  /** Whether it is worth a try. */
  suits(write: Write): boolean {
    return this.hopeful && isOverwrite(write);
  }

  /** The quickest way to put what is there; undefined where it is not. */
  async one(write: Write): Promise<Outcome | undefined> {
    const { cluster, keyspace } = this.options;
    const put = write.ops[0] as Put;
    const path = keyspace.path(put.put);
    let stat: Stat;
    try {
      const answer = await cluster.call({
        send: (connection, deadline) => connection.send(setData(path, put.value), deadline),
        repeatable: false,
        timeout: write.timeout,
      });
      stat = answer.value;
    } catch (error) {
      if (!isFault(error, code.noNode)) throw error;
      this.hopeful = false;
      return undefined;
    }
    return this.written(write, put, stat);
  }

  /** The same for several at once; undefined where one is not there, and then none is written. */
  async all(writes: readonly Write[]): Promise<Outcome[] | undefined> {
    if (!writes.every(write => this.suits(write))) return undefined;
    const { cluster, keyspace, settings } = this.options;
    const puts = writes.map(({ ops }) => ops[0] as Put);
    const steps = puts.map(({ put, value }): Step => ({ set: keyspace.path(put), data: value, version: -1 }));
    const done = await transact(cluster, steps, { acl: settings.acl, timeout: timeoutOf(writes) });
    if (!done.ok) {
      if (done.code !== code.noNode) throw translated(new Fault(done.code));
      this.hopeful = false;
      return undefined;
    }
    return Promise.all(puts.map(async (put, i) => this.written(writes[i] as Write, put, done.stats[i] as Stat)));
  }

  /** A put that says nothing of a ttl makes a key permanent, which takes another node. */
  private async written(write: Write, { put, value, ttl }: Put, stat: Stat): Promise<Outcome> {
    const entry = entryOf(put, value, stat);
    return ttl !== 'keep' && entry.leased ? this.options.settle(write) : { ok: true, results: [{ entry }] };
  }
}

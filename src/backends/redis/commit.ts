/**
 * Committing: one script for all writes that wait while another is under way, each with an outcome of its own.
 *
 * Where keys are in many slots each write goes by itself, those of one key in turns.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type Coalescer, coalesce } from '../../coalesce.js';
import type { DriverOp, Outcome } from '../../driver.js';
import { KvError } from '../../errors.js';
import type { Write } from '../../networked.js';
import { answersTo, givenUpError } from '../../running.js';
import { Turns } from '../../turns.js';
import { portions } from '../../portions.js';
import type { Client, Reply } from './client.js';
import { decode, decodePut, encode, keyOf, type Parts } from './codec.js';
import { backend, translated } from './errors.js';
import type { Keyspace } from './keyspace.js';
import { names } from './list.js';
import type { Servers } from './servers.js';
import type { Sessions } from './session.js';
import { commit, put, puts } from './write-scripts.js';

export interface CommitterOptions {
  readonly servers: Servers;
  readonly keyspace: Keyspace;
  readonly sessions: Sessions;
}

/** Writes in one batch. */
const most = 200;
/** Bytes in one batch. */
const mostBytes = 2 ** 20;

export class Committer {
  private readonly servers: Servers;
  private readonly keyspace: Keyspace;
  private readonly sessions: Sessions;
  private readonly turns: Turns = new Turns();
  private readonly together: Coalescer<Write, Outcome>;

  constructor({ servers, keyspace, sessions }: CommitterOptions) {
    this.servers = servers;
    this.keyspace = keyspace;
    this.sessions = sessions;
    this.together = coalesce<Write, Outcome>({ run: writes => this.run(writes), alone: write => this.alone(write), most, turn });
  }

  /** @throws KvError, also at once */
  commit(write: Write): Promise<Outcome> {
    const { ops } = write;
    for (const op of ops) if ('put' in op && op.session !== undefined) this.sessions.bind(op.session, op.put, op.value);
    if (this.keyspace.oneSlot) return this.together(write);
    const [only] = ops;
    write.selfTimed = only !== undefined && 'deletePrefix' in only;
    const keys = new Set([...write.checks.map(keyOf), ...ops.flatMap(op => ('put' in op ? [op.put] : 'delete' in op ? [op.delete] : []))]);
    const prefixes = ops.flatMap(op => ('deletePrefix' in op ? [op.deletePrefix] : []));
    if (keys.size + prefixes.length > 1) return Promise.reject(severalSlots());
    return this.turns.take({ keys: [...keys], prefixes }, async () => {
      if (write.abandoned) throw givenUpError(backend);
      if (only !== undefined && 'deletePrefix' in only) return this.fell(only.deletePrefix, write);
      for (const op of ops) if ('put' in op && op.session !== undefined) await this.sessions.check(op.session, write.timeout);
      return this.alone(write);
    });
  }

  private alone(write: Write): Promise<Outcome> {
    const [op] = write.ops;
    if (op !== undefined && 'put' in op && this.isPlain(write)) return this.put(op, write);
    return this.send([write]).then(([outcome]) => known(outcome));
  }

  /** A put with nothing to it, of which there are most. */
  private isPlain({ checks, ops }: Write): boolean {
    const [op] = ops;
    if (checks.length > 0 || ops.length !== 1 || op === undefined || !('put' in op)) return false;
    return op.ttl === undefined && op.session === undefined && !this.keyspace.indexed;
  }

  private put({ put: key, value }: Extract<DriverOp, { put: string }>, write: Write): Promise<Outcome> {
    const pair = this.keyspace.pair(key);
    const bytes = [Buffer.from(value.buffer, value.byteOffset, value.length)];
    const send = (client: Client): Promise<Reply> => client.run(put, pair, bytes);
    return this.servers
      .call(pair[0], { send, repeatable: false, timeout: write.timeout, timed: true })
      .then(reply => known(decodePut(write, reply)));
  }

  private puts(writes: readonly Write[]): Promise<(Outcome | Error)[]> {
    const keys: string[] = [];
    const sides: string[] = [];
    const values: Buffer[] = [];
    for (const { ops } of writes) {
      const { put: key, value } = ops[0] as Extract<DriverOp, { put: string }>;
      const [name, side] = this.keyspace.pair(key);
      keys.push(name);
      sides.push(side);
      values.push(Buffer.from(value.buffer, value.byteOffset, value.length));
    }
    const timeout = Math.max(...writes.map(write => write.timeout));
    const send = (client: Client): Promise<Reply> => client.run(puts, [...keys, ...sides], values);
    return this.servers
      .call(keys[0] as string, { send, repeatable: false, timeout, timed: true })
      .then(reply => writes.map((write, i) => decodePut(write, (reply as readonly Reply[])[i] as Reply)));
  }

  /** Carries out a batch, in the order of asking. */
  private async run(writes: readonly Write[]): Promise<(Outcome | Error)[]> {
    const outcomes: (Outcome | Error)[] = [];
    for (const batch of portions(writes, sizeOf, { bytes: mostBytes })) {
      outcomes.push(...(await answersTo(batch, backend, waiting => this.send(waiting))));
    }
    return outcomes;
  }

  private async send(writes: readonly Write[]): Promise<(Outcome | Error)[]> {
    try {
      if (writes.every(write => this.isPlain(write))) return await this.puts(writes);
      const parts = this.partsOf(writes);
      const [name = ''] = parts.keys;
      const reply = await this.servers.call(name, {
        send: client => client.run(commit, parts.keys, parts.args),
        repeatable: writes.every(({ ops }) => ops.length === 0),
        whole: writes.some(({ ops }) => ops.some(op => 'deletePrefix' in op)),
        timeout: Math.max(...writes.map(({ timeout }) => timeout)),
        // A step of a deletion key by key has nobody else who gives it up.
        timed: !writes.some(({ selfTimed }) => selfTimed),
      });
      return writes.map((write, i) => decode(write, (reply as readonly Reply[])[i] as Reply));
    } catch (error) {
      const known = translated(error);
      const refused = known.code === 'denied' && known.outcome === undefined;
      if (!refused || writes.length === 1) return writes.map(() => known);
      // One of them is refused, and the others are not to suffer for it.
      const outcomes: (Outcome | Error)[] = [];
      for (const write of writes) outcomes.push(...(await this.send([write])));
      return outcomes;
    }
  }

  private partsOf(writes: readonly Write[]): Parts {
    const { keyspace } = this;
    const { root, aside, own, indexed } = keyspace;
    const parts: Parts = { keys: [], args: [root, ...aside, own, indexed ? '1' : '0', writes.length] };
    for (const write of writes) encode(keyspace, write, parts);
    if (keyspace.oneSlot) parts.keys.push(indexed ? keyspace.index : own);
    return parts;
  }

  /** Key by key, each step with its own timeout: what was there when it began is gone in the end. */
  private async fell(prefix: string, write: Write): Promise<Outcome> {
    const { timeout } = write;
    let existed = false;
    for (const master of await this.servers.masters(timeout)) {
      const found = [...(await names(master, { keyspace: this.keyspace, prefix, timeout }))];
      for (let at = 0; at < found.length; at += most) {
        if (write.abandoned) throw givenUpError(backend);
        const deletions = found.slice(at, at + most).map(async key => {
          const [outcome] = await this.send([{ ...write, checks: [], ops: [{ delete: key }] }]);
          if (outcome instanceof Error) throw outcome;
          if (outcome?.ok === true && outcome.results[0]?.existed === true) existed = true;
        });
        await Promise.all(deletions);
      }
    }
    return { ok: true, results: [{ existed }] };
  }
}

function sizeOf({ ops }: Write): number {
  return ops.reduce((bytes, op) => bytes + ('put' in op ? op.value.length : 100), 0);
}

/** @throws KvError where that write was refused */
function known(outcome: Outcome | Error | undefined): Outcome {
  if (outcome === undefined || outcome instanceof Error) throw outcome ?? givenUpError(backend);
  return outcome;
}

function severalSlots(): KvError {
  return new KvError('unsupported', "several keys of a cluster at once need a root with a hash tag, as root: '{my-app}'", { backend });
}

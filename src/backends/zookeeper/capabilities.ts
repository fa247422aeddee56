/** Capabilities: those of servers at their defaults, and of the length of their tick. */
import type { Capabilities } from '../../capabilities.js';
import { maxKeyBytes } from '../../key.js';
import type { Settings } from './options.js';

/** A server grants a session between 2 and 20 ticks. */
const fewestTicks = 2;
const mostTicks = 20;
/**
 * A follower tells the leader, who ends sessions, of their pings only every half tick: one that dies in between has told
 * us of a ping that the leader never heard of. So much less than the server's word do we count on.
 */
const margin = 1;

/** Bytes: a request has 1 MiB at a server's defaults, of which keys, access lists and framing need some. */
const mostBytes = 1_000_000;

/** ms of a session as the server is asked for it, so that `ttl` of it can be counted on. */
export function askedFor(ttl: number, tickTime: number): number {
  return ttl + margin * tickTime;
}

/** ms of a session as the server granted it that can be counted on. */
export function countedOn(granted: number, tickTime: number): number {
  return granted - margin * tickTime;
}

/** ms of the longest session. */
export function longestSession(tickTime: number): number {
  return mostTicks * tickTime;
}

export function capabilitiesOf({ tickTime, ttlNodes }: Settings): Capabilities {
  return {
    atomic: 'keys',
    consistentList: true,
    // A leader that has lost its followers and does not know it yet answers sync() from what it has.
    strongReads: 'best-effort',
    // Whoever deletes a node and makes it anew to the same version, with another client, is not seen.
    compareAndSet: 'own-writers',
    locks: 'strict',
    fair: true,
    resumes: false,
    ttlBoundTo: ttlNodes ? 'server' : 'session',
    minTtl: (fewestTicks - margin) * tickTime,
    maxTtl: (mostTicks - margin) * tickTime,
    // A key goes by our own timer, or with its session when its writer dies.
    ttlLag: ttlNodes ? 60_000 + 2 * tickTime : (mostTicks + 2) * tickTime,
    maxKey: maxKeyBytes,
    maxValue: mostBytes,
    maxTransaction: mostBytes,
    maxOps: 400,
  };
}

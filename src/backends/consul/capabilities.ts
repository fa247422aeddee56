/** Capabilities of Consul: linearizable and transactional within limits, with sessions that outlive their ttl. */
import type { Capabilities } from '../../capabilities.js';
import { maxKeyBytes } from '../../key.js';
import type { Settings } from './options.js';

const second = 1000;

/** Bytes: a transaction has 512 KiB at a server's defaults, its values in base64; keys and framing need some. */
const mostBytes = 380_928;

/** A server takes 64 steps; a deletion takes two, and so does a put with a ttl. */
export const maxOps = 32;

/** Of a session: 24 h at most, of which a server waits twice as long. */
export const maxSessionTtl: number = 86_400 * second;

export function capabilitiesOf({ consistency, sessionTtlMin }: Settings): Capabilities {
  return {
    atomic: 'range',
    consistentList: true,
    strongReads: consistency === 'consistent' ? 'linearizable' : 'best-effort',
    compareAndSet: 'exact',
    locks: 'strict',
    fair: true,
    resumes: false,
    ttlBoundTo: 'server',
    // Ours: the timer of the writer ends a key in time, and Consul's own clock is for what a dead writer left.
    minTtl: 500,
    // A minute is for what lies between the session and the write.
    maxTtl: 2 * maxSessionTtl - 60 * second,
    // A session is given up twice its ttl after its last renewal.
    ttlLag: 2 * sessionTtlMin,
    maxKey: maxKeyBytes,
    maxValue: mostBytes,
    maxTransaction: mostBytes,
    maxOps,
  };
}

/** Capabilities: what a backend can do, declared before any I/O, and proven by the conformance suite. */

/**
 * What a backend promises, conservatively. `ready()` may narrow it once the server has been asked.
 *
 * Times are ms, sizes are bytes; no limit is `Infinity`.
 */
export interface Capabilities {
  /** Transactions and deleteTree of any size; of several keys up to `maxOps`, a larger deleteTree stepwise; of single keys only. */
  readonly atomic: 'range' | 'keys' | 'key';
  /** A list is one state the store was in. */
  readonly consistentList: boolean;
  readonly strongReads: 'linearizable' | 'best-effort';
  /** Whether compare-and-set excludes every writer, or only those that use this package. */
  readonly compareAndSet: 'exact' | 'own-writers';
  /** Whether a holder is always told before a rival can acquire, or two are possible after fail-over. */
  readonly locks: 'strict' | 'advisory';
  /** Locks are granted in the order of asking. */
  readonly fair: boolean;
  /** A feed can go on from where it was cut. */
  readonly resumes: boolean;
  /** Whether a key with a ttl lives on when its writer dies early, or goes with it. */
  readonly ttlBoundTo: 'server' | 'session';
  readonly minTtl: number;
  readonly maxTtl: number;
  /** How long after its ttl a key may still be there on a healthy server. */
  readonly ttlLag: number;
  readonly maxKey: number;
  readonly maxValue: number;
  readonly maxTransaction: number;
  readonly maxOps: number;
}

/** A topic: promises of one kind, each a sentence with the body that proves it. */
import type { Capabilities } from '../capabilities.js';
import type { Body, Way } from './context.js';
import type { Hook } from './harness.js';

export interface Topic {
  readonly name: string;
  readonly proofs: readonly Proof[];
}

export interface Proof extends Needs {
  /** The promise, as a sentence. */
  readonly title: string;
  readonly body: Body;
}

export interface Needs {
  /** The hooks that it cannot do without. */
  readonly hooks?: readonly Hook[];
  /** What the driver must be capable of. */
  readonly capable?: Capability;
  /** Whether it concerns only drivers with a network between them and the data. */
  readonly networked?: boolean;
  /** The ways it is proven in; all three by default. Costly proofs take one. */
  readonly ways?: readonly Way[];
  /** Short `silence` and `timeout`, for tests of faults. */
  readonly faulty?: boolean;
}

export interface Capability {
  /** What is missing where it is absent, for the name of the skipped test: `locks are not granted in order`. */
  readonly absent: string;
  readonly present: (capabilities: Capabilities) => boolean;
}

/** A proof, in the order in which it is read: the sentence, what it needs, how it goes. */
export function proof(title: string, body: Body): Proof;
export function proof(title: string, needs: Needs, body: Body): Proof;
export function proof(title: string, needs: Needs | Body, body?: Body): Proof {
  return typeof needs === 'function' ? { title, body: needs } : { title, ...needs, body: body as Body };
}

/** Where the three ways cannot differ, or each costs seconds. */
export const onTwo: readonly Way[] = ['on two connections'];

export const severalKeys: Capability = {
  absent: 'atomic is "key"',
  present: capabilities => capabilities.atomic !== 'key',
};

export const wholeRanges: Capability = {
  absent: 'atomic is not "range"',
  present: capabilities => capabilities.atomic === 'range',
};

export const consistentLists: Capability = {
  absent: 'consistentList is false',
  present: capabilities => capabilities.consistentList,
};

/** Several keys are written at once, and read at once. */
export const consistentTransactions: Capability = {
  absent: 'atomic is "key" or consistentList is false',
  present: capabilities => capabilities.consistentList && capabilities.atomic !== 'key',
};

export const strictLocks: Capability = {
  absent: 'locks are advisory',
  present: capabilities => capabilities.locks === 'strict',
};

export const fairLocks: Capability = {
  absent: 'fair is false',
  present: capabilities => capabilities.fair,
};

/** Errors: what ZooKeeper and its connections say, in our words, and whether the server can have acted on the request. */
import { KvError, type KvErrorCode, type KvErrorDetail } from '../../errors.js';
import { type Failure, type Fate, notLoaded as packageNotLoaded } from '../../failure.js';
import { code } from './numbers.js';

export const backend = 'zookeeper';

/** What became of a request: an error code of ZooKeeper's, or one of ours. */
export class Fault extends Error {
  override readonly name: string = 'ZooKeeperFault';
  readonly code: number;
  /** Of a server's answer: where it was, and the place among all messages. */
  readonly zxid: bigint;
  readonly at: number;

  constructor(number: number, { cause, zxid = 0n, at = 0 }: { cause?: unknown; zxid?: bigint; at?: number } = {}) {
    super(`ZooKeeper error ${number}`, cause === undefined ? undefined : { cause });
    this.code = number;
    this.zxid = zxid;
    this.at = at;
  }
}

const failures: ReadonlyMap<number, readonly [KvErrorCode, Fate, string]> = new Map<number, readonly [KvErrorCode, Fate, string]>([
  [code.connectionLoss, ['unavailable', 'unknown', 'the connection was cut']],
  [code.unsent, ['timeout', 'unsent', 'no server was reached in time']],
  [code.refusedTls, ['denied', 'unsent', 'TLS: the peer and we do not trust each other (see cause)']],
  [code.sessionExpired, ['unavailable', 'refused', 'the session has ended']],
  [code.sessionMoved, ['unavailable', 'refused', 'the session has moved to another server']],
  [code.marshalling, ['invalid', 'refused', 'ZooKeeper could not read the request']],
  [code.unimplemented, ['unsupported', 'refused', 'this server does not know the request: rxkv needs ZooKeeper 3.6 or later']],
  [code.badArguments, ['invalid', 'refused', 'ZooKeeper refused the request']],
  [code.noAuth, ['denied', 'refused', 'the access list of the node does not allow that']],
  [code.authRequired, ['denied', 'refused', 'ZooKeeper wants a user: zookeeper({ auth: { username, password } })']],
  [code.authFailed, ['denied', 'unsent', 'ZooKeeper refused the username and password']],
  [code.invalidAcl, ['invalid', 'refused', 'ZooKeeper refused the access list: who creates needs auth, and an ip must be one']],
  [code.throttled, ['overloaded', 'refused', 'ZooKeeper has too many requests to take another']],
]);

/** What a fault means; any other error is of our own making. */
export function failureOf(error: unknown): Failure {
  const number = error instanceof Fault ? error.code : undefined;
  const known = number === undefined ? undefined : failures.get(number);
  if (known !== undefined) return { code: known[0], fate: known[1], message: known[2], cause: error };
  const message = number === undefined ? 'the client of ZooKeeper failed (see cause)' : `ZooKeeper refused with its error ${number}`;
  return { code: 'internal', fate: number === undefined ? 'unknown' : 'refused', message, cause: error };
}

/** A KvError as it is; anything else in our words. */
export function translated(error: unknown, detail: KvErrorDetail = {}): KvError {
  if (KvError.is(error)) return error;
  const { code: kind, message } = failureOf(error);
  return new KvError(kind, message, { backend, cause: error, ...detail });
}

/** Whether the connection failed, and another may do better. A server that has too much to do is not asked again. */
export function isOfConnection({ code: kind }: Pick<Failure, 'code'>): boolean {
  return kind === 'unavailable' || kind === 'timeout';
}

/** What is said of a session that has ended. */
export function sessionEnded(detail: KvErrorDetail = {}): KvError {
  return new KvError('session-lost', 'the session has ended', { backend, ...detail });
}

/** Whether it is the fault of that number, or comes of it. */
export function isFault(error: unknown, number: number): boolean {
  const fault = KvError.is(error) ? error.cause : error;
  return fault instanceof Fault && fault.code === number;
}

/** Why the package node-zookeeper-client could not be loaded. */
export function notLoaded(error: unknown): KvError {
  return packageNotLoaded(error, backend, 'node-zookeeper-client', 'node-zookeeper-client@1.1.3');
}

/** Errors: what etcd, gRPC and etcd3 say, in our words, and whether the server can have acted on the request. */
import { KvError, type KvErrorCode, type KvErrorDetail } from '../../errors.js';
import { type Failure, type Fate, type Verdict, notLoaded as packageNotLoaded, verdictOn } from '../../failure.js';
import { LoginFailed } from './login.js';

export const backend = 'etcd';

/** The first whose words are in the error's holds, whatever its number. */
const verdicts: readonly Verdict[] = [
  [
    /alert|certificate|self.signed|altname|wrong version number|EPROTO/i,
    'denied',
    'unsent',
    'TLS: the peer and we do not trust each other (see cause)',
  ],
  [
    /No connection established|Failed to connect|Channel closed before|Name resolution failed|client was already closed/,
    'unavailable',
    'unsent',
    'no member of the cluster can be reached',
  ],
  [/invalid user ID or password/, 'denied', 'refused', 'etcd knows no such username and password'],
  [/user name is empty/, 'denied', 'refused', 'etcd wants a user: etcd({ auth: { username, password } })'],
  [/authentication is not enabled/, 'denied', 'refused', 'etcd has authentication turned off: leave auth out'],
  [/permission denied/, 'denied', 'refused', 'the roles of this user do not allow that'],
  [/invalid auth token|revision of auth store is old/, 'denied', 'refused', 'etcd refused the token of this user'],
  [/requested lease not found/, 'session-lost', 'refused', 'the lease has ended'],
  [/too large lease TTL/, 'invalid', 'refused', "the ttl is over etcd's maximum"],
  [/request is too large|larger than max/, 'invalid', 'refused', 'the request is larger than this server takes (--max-request-bytes)'],
  [/too many operations/, 'invalid', 'refused', 'the transaction has more operations than this server takes (--max-txn-ops)'],
  [/database space exceeded/, 'unavailable', 'refused', 'the database of etcd is over its space quota: compact, defragment, disarm'],
  [/too many requests/, 'overloaded', 'refused', 'etcd has too many requests to take another'],
  [/revision has been compacted/, 'unavailable', 'refused', 'the revision has been compacted'],
  [/no leader/, 'unavailable', 'unknown', 'the cluster has no leader'],
];

/** By gRPC's number; the rest is internal. */
const statuses: ReadonlyMap<number | undefined, readonly [KvErrorCode, Fate, string]> = new Map([
  [1, ['unavailable', 'unknown', 'the connection was given up']],
  [2, ['unavailable', 'unknown', 'the connection failed']],
  [3, ['invalid', 'refused', 'etcd refused the request (see cause)']],
  [4, ['timeout', 'unknown', 'no answer in time']],
  [7, ['denied', 'refused', 'the roles of this user do not allow that']],
  [8, ['overloaded', 'unknown', 'etcd has no room for the request (see cause)']],
  [10, ['unavailable', 'unknown', 'etcd gave the request up']],
  [12, ['unsupported', 'refused', 'this server does not know the request']],
  [13, ['unavailable', 'unknown', 'the connection failed']],
  [14, ['unavailable', 'unknown', 'the connection was cut, or etcd could not answer (see cause)']],
  [16, ['denied', 'refused', 'etcd does not know this user']],
]);

/** What an error of the client means. */
export function failureOf(error: unknown): Failure {
  if (error instanceof LoginFailed) {
    const failure = failureOf(error.cause);
    return failure.fate === 'unknown' ? { ...failure, fate: 'unsent' } : failure;
  }
  const text = error instanceof Error ? error.message : String(error);
  const status = statusOf(error, text);
  const said = verdictOn(text, verdicts, error);
  if (said !== undefined) return said;
  const [code, fate, message] = statuses.get(status) ?? ['internal', 'unknown', 'etcd failed (see cause)'];
  return { code, fate, message, cause: error };
}

/** The error that a caller gets. */
export function errorOf(failure: Failure, detail: KvErrorDetail = {}): KvError {
  return new KvError(failure.code, failure.message, { backend, cause: failure.cause, ...detail });
}

/** A KvError as it is; anything else in our words. */
export function translated(error: unknown, detail: KvErrorDetail = {}): KvError {
  return KvError.is(error) ? error : errorOf(failureOf(error), detail);
}

/** Whether a read at a revision came too late, or (after a loss of data) too early. */
export function isCompacted(error: unknown): boolean {
  const text = error instanceof Error ? String((error.cause as Error | undefined)?.message ?? error.message) : '';
  return /revision has been compacted|is a future revision/.test(text);
}

/** Whether the token that was sent has lapsed, or was given before the rights were changed. */
export function isTokenRefused(error: unknown): boolean {
  return error instanceof Error && /invalid auth token|auth store is old/.test(error.message);
}

/** Whether a member said that it knows no leader. */
export function hasNoLeader(error: Error): boolean {
  return /no leader/.test(error.message);
}

/** Why the package etcd3 could not be loaded. */
export function notLoaded(error: unknown): KvError {
  return packageNotLoaded(error, backend, 'etcd3');
}

/** etcd3 wraps gRPC's errors and keeps their number in the text alone. */
function statusOf(error: unknown, text: string): number | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  if (typeof code === 'number') return code;
  const match = /^(\d+) [A-Z_]+: /.exec(text);
  return match === null ? undefined : Number(match[1]);
}

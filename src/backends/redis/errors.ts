/** Errors: what Redis and ioredis say, in our words, and whether the server can have acted on the request. */
import { KvError, type KvErrorDetail } from '../../errors.js';
import { type Failure, type Verdict, notLoaded as packageNotLoaded, verdictOn } from '../../failure.js';

export const backend = 'redis';

/** The first whose words are in the error's holds. */
const verdicts: readonly Verdict[] = [
  [/WRONGPASS|invalid (?:username-)?password/i, 'denied', 'refused', 'Redis knows no such user and password'],
  [/without any password configured/, 'denied', 'refused', 'Redis has no password for its default user: leave auth out'],
  [/^NOAUTH/, 'denied', 'refused', 'Redis wants a user: redis({ auth: { username, password } })'],
  [/^NOPERM/, 'denied', 'refused', 'the ACL of this user does not allow that (see cause)'],
  [/^READONLY/, 'unavailable', 'refused', 'this server is a replica, or was made one'],
  [/^LOADING/, 'unavailable', 'refused', 'Redis is loading its data'],
  [/^MASTERDOWN/, 'unavailable', 'refused', 'this replica has lost its master'],
  [/^CLUSTERDOWN/, 'unavailable', 'refused', 'the cluster does not serve this slot'],
  [/^TRYAGAIN/, 'unavailable', 'refused', 'the slot is on its way to another node'],
  [/^NOREPLICAS/, 'unavailable', 'refused', 'Redis has fewer replicas than it wants for a write'],
  [/^MISCONF/, 'unavailable', 'refused', 'Redis takes no writes while it cannot save them'],
  [/^OOM/, 'unavailable', 'refused', 'Redis has no memory left for a write (maxmemory)'],
  [/^BUSY /, 'overloaded', 'refused', 'Redis is busy with a script'],
  [/max number of clients/, 'overloaded', 'refused', 'Redis has as many clients as it takes'],
  [/^WRONGTYPE/, 'invalid', 'refused', 'the key holds something else than a string'],
  [/^NOMASTER/, 'invalid', 'refused', 'the sentinels know no master of that name'],
  [/DB index is out of range/, 'invalid', 'refused', 'Redis has no database of that number'],
  [
    /^(?:MOVED|ASK|CROSSSLOT) |attempted to access a non local key/,
    'unsupported',
    'refused',
    'this server is a node of a cluster: redis({ cluster: true })',
  ],
  [/cluster support disabled/, 'invalid', 'refused', 'this server is no node of a cluster: leave cluster out'],
  [/unknown (?:sub)?command/i, 'unsupported', 'refused', 'this server does not know a command that rxkv needs (see cause)'],
  [
    /certificate|self.signed|altname|wrong version number|EPROTO|SSL routines|tlsv1|ERR_TLS|ERR_OSSL/i,
    'denied',
    'unsent',
    'TLS: the peer and we do not trust each other (see cause)',
  ],
  [
    /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|connect ETIMEDOUT|isn't writeable/,
    'unavailable',
    'unsent',
    'the server cannot be reached',
  ],
  [/Unknown RESP type|Protocol error/, 'unavailable', 'unknown', 'what answers there is not Redis (see cause)'],
  [/Connection is closed|ECONNRESET|EPIPE|ETIMEDOUT|aborted due to connection close/i, 'unavailable', 'unknown', 'the connection was cut'],
];

/** What an error of the client means. */
export function failureOf(error: unknown): Failure {
  const text = error instanceof Error ? `${error.message} ${codeOf(error)}` : String(error);
  const cause = stripped(error);
  return verdictOn(text, verdicts, cause) ?? { code: 'internal', fate: 'unknown', message: 'Redis failed (see cause)', cause };
}

/** The error that a caller gets. */
export function errorOf(failure: Failure, detail: KvErrorDetail = {}): KvError {
  return new KvError(failure.code, failure.message, { backend, cause: failure.cause, ...detail });
}

/** A KvError as it is; anything else in our words. */
export function translated(error: unknown, detail: KvErrorDetail = {}): KvError {
  return KvError.is(error) ? error : errorOf(failureOf(error), detail);
}

/** Whether the server has to be sent the script itself. */
export function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

const rights = '+client|id +client|tracking +subscribe +ping &__redis__:invalidate';

/** Why a server does not tell what changes. */
export function notTracked(error: unknown): KvError {
  const { cause, ...failure } = failureOf(error);
  const words = cause instanceof Error ? cause.message : '';
  if (words.startsWith('NOPERM'))
    return new KvError('unsupported', `watching needs CLIENT TRACKING, which the ACL of this user does not allow: ${rights}`, {
      backend,
      cause,
    });
  if (/unknown subcommand|wrong number of arguments|syntax error/i.test(words))
    return new KvError('unsupported', 'watching needs CLIENT TRACKING, which Redis has since version 6', { backend, cause });
  return errorOf({ ...failure, cause });
}

/** Why the package ioredis could not be loaded. */
export function notLoaded(error: unknown): KvError {
  return packageNotLoaded(error, backend, 'ioredis');
}

function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined || error.message.includes(code) ? '' : code;
}

/** ioredis hangs the whole command on its errors, and a server repeats what it does not understand: values, passwords. */
function stripped(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  return new Error(error.message.replace(/,? with args beginning with:.*/s, ''));
}

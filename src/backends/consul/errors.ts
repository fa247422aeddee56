/** Errors: what Consul, HTTP and the client say, in our words, and whether the server can have acted on the request. */
import { KvError, type KvErrorCode, type KvErrorDetail } from '../../errors.js';
import { type Failure, type Fate, type Verdict, notLoaded as packageNotLoaded, verdictOn } from '../../failure.js';

export const backend = 'consul';

/** What the client's errors have of use to us. */
interface ClientError {
  readonly code?: string;
  readonly isTimeout?: boolean;
  readonly response?: { readonly statusCode?: number; readonly body?: unknown };
}

const unknownToken = 'consul knows no such token';

/** By the body of an answer; the first whose words are in it holds. Consul says 500 of what the user did wrong, too. */
const verdicts: readonly Verdict[] = [
  [/ACL not found/, 'denied', 'refused', unknownToken],
  [/Permission denied/, 'denied', 'refused', 'the token does not allow that'],
  [/HTTP request to an HTTPS server/, 'denied', 'unsent', 'the agent speaks TLS: consul({ tls: true })'],
  [/No path to datacenter/, 'invalid', 'refused', 'consul knows no such datacenter'],
  [
    /Invalid Session TTL/,
    'invalid',
    'refused',
    "the ttl of a session is below the agent's session_ttl_min: say it as sessionTtlMin of consul()",
  ],
  [/invalid session/i, 'session-lost', 'refused', 'the session has ended'],
  [/lock delay/, 'unavailable', 'refused', 'the key is under the lock-delay of a session that has ended'],
  [/No cluster leader/, 'unavailable', 'refused', 'the cluster has no leader'],
  [/not the leader|failed to get conn|rpc error getting client/, 'unavailable', 'refused', 'the leader cannot be reached'],
  [/Missing node registration/, 'unavailable', 'refused', 'the agent is not yet in the catalogue'],
  [/too large|exceeds/i, 'invalid', 'refused', 'the request is larger than this server takes (txn_max_req_len, kv_max_value_size)'],
];

/** By the status of an answer, where its words say nothing. */
const statuses: ReadonlyMap<number, readonly [KvErrorCode, Fate, string]> = new Map([
  // What became of a write is the secret of who answered so.
  [200, ['unavailable', 'unknown', 'what answers there is not Consul (see cause)']],
  [301, ['invalid', 'refused', 'consul takes the path of the key for another']],
  [400, ['invalid', 'refused', 'consul refused the request (see cause)']],
  [401, ['denied', 'refused', 'consul refused the token (see cause)']],
  [403, ['denied', 'refused', 'the token does not allow that']],
  [404, ['unavailable', 'refused', 'what answers there is not Consul (see cause)']],
  [405, ['unsupported', 'refused', 'this server does not know the request']],
  [413, ['invalid', 'refused', 'the request is larger than this server takes (txn_max_req_len, kv_max_value_size)']],
  [429, ['overloaded', 'refused', 'consul asks to slow down']],
]);

/** Characters of an answer that a cause repeats. */
const mostWords = 200;
/** No connection was made. */
const unreachable = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL']);
const untrusted = /CERT|SSL|TLS|SELF_SIGNED|VERIFY|EPROTO|ALTNAME/;

/** What an error of the client means. */
export function failureOf(cause: unknown): Failure {
  const { code, isTimeout, response } = (cause ?? {}) as ClientError;
  if (response !== undefined) return refusalOf(response);
  if (isTimeout === true) return { code: 'timeout', fate: 'unknown', message: 'no answer in time', cause };
  if (code !== undefined && unreachable.has(code))
    return { code: 'unavailable', fate: 'unsent', message: 'the agent cannot be reached', cause };
  if (code !== undefined && untrusted.test(code))
    return { code: 'denied', fate: 'unsent', message: 'TLS: the peer and we do not trust each other (see cause)', cause };
  if (cause instanceof Error) return { code: 'unavailable', fate: 'unknown', message: 'the connection was cut', cause };
  return { code: 'internal', fate: 'unknown', message: 'consul failed (see cause)', cause };
}

/** What the words of an answer mean, where they mean something. */
export function wordsOf(text: string, cause: unknown): Failure | undefined {
  return verdictOn(text, verdicts, cause);
}

/** Whether the token was not found: which an agent says of every token until it has its data. */
export function isUnknownToken(error: unknown): boolean {
  return !KvError.is(error) && failureOf(error).message === unknownToken;
}

/** As an agent says it that has asked for the leader. */
export function noLeaderError(): Error {
  return Object.assign(new Error('no leader'), { response: { statusCode: 500, body: Buffer.from('No cluster leader') } });
}

/** The error that a caller gets. */
export function errorOf(failure: Failure, detail: KvErrorDetail = {}): KvError {
  return new KvError(failure.code, failure.message, { backend, cause: failure.cause, ...detail });
}

/** A KvError as it is; anything else in our words. */
export function translated(error: unknown, detail: KvErrorDetail = {}): KvError {
  return KvError.is(error) ? error : errorOf(failureOf(error), detail);
}

/** Whether Consul did not take a key in a URL. */
export function isRefusedPath(error: unknown): boolean {
  const { code, cause } = translated(error);
  return code === 'invalid' && cause instanceof Error && cause.message.startsWith('400');
}

/** Why the package consul could not be loaded. */
export function notLoaded(error: unknown): KvError {
  return packageNotLoaded(error, backend, 'consul');
}

function refusalOf({ statusCode = 0, body }: NonNullable<ClientError['response']>): Failure {
  const said = Buffer.isBuffer(body) ? body.toString() : '';
  // The client's own error has the whole request in it, and so the token.
  const cause = new Error(`${statusCode}: ${said.slice(0, mostWords)}`);
  const words = wordsOf(said, cause);
  if (words !== undefined) return words;
  const [code, fate, message] = statuses.get(statusCode) ?? ['unavailable', 'unknown', 'consul could not answer (see cause)'];
  return { code, fate, message, cause };
}

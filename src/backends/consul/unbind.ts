/** Unbinding: a session is taken off a key that is to be permanent, which a put cannot do. */
import { KvError } from '../../errors.js';
import type { Put } from './codec.js';
import { backend, translated } from './errors.js';
import { type Keyspace, written } from './keyspace.js';
import { type Answer, parsed, type Step, type TxnAnswer } from './wire.js';

export interface Unbinding {
  readonly keyspace: Keyspace;
  readonly transact: (steps: readonly Step[]) => Promise<Answer>;
}

/** The key without its session, unless it was written by somebody else since. */
export async function unbound(
  { keyspace, transact }: Unbinding,
  { put, value }: Put,
  entry: ReturnType<typeof written>,
): Promise<typeof entry> {
  const key = keyspace.key(put);
  const set: Step = { verb: 'set', key, value };
  let answer = await transact([{ verb: 'check-index', key, index: entry.revision }, { verb: 'delete', key }, set]);
  // Its session ended in between, and took with it what was to stay.
  if (answer.status === 409 && answer.body.includes("doesn't exist")) answer = await transact([{ verb: 'check-not-exists', key }, set]);
  const pair = answer.status === 409 ? undefined : parsed<TxnAnswer>(answer).Results?.at(-1)?.KV;
  return pair === undefined ? { ...entry, leased: false, token: entry.token?.split(' ')[0] ?? '0' } : written(pair, put, value);
}

/** Of a put whose key could not be unbound. */
export function stillBound(error: unknown): KvError {
  const { code, message, cause } = translated(error);
  return new KvError(code, `it was written, and may still end with the ttl that it had: ${message}`, {
    backend,
    outcome: 'unknown',
    cause,
  });
}

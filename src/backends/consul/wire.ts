/**
 * The wire: Consul's requests and answers as they travel, as far as we use them.
 * Not the client's own types: they know neither the transactions nor the index of an answer.
 */

/** A key with its value, as every read tells it. */
export interface KvPair {
  readonly Key: string;
  /** Base64; null of an empty value, and of what a write tells. */
  readonly Value: string | null;
  /** 64 bits, of which a number holds 53. */
  readonly Flags: number;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
  /** Left out where no session holds the key. */
  readonly Session?: string;
}

export interface Request {
  readonly method: 'GET' | 'PUT';
  /** Below /v1. `{key}` stands for the key, which is escaped. */
  readonly path: string;
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export interface Answer {
  /** 200; 404 where there is no such thing; 409 of a transaction that was refused. */
  readonly status: number;
  /** X-Consul-Index; 0 where it was not told. */
  readonly index: bigint;
  /** Whether the token may not read all that was asked for; servers before 1.11 do not tell. */
  readonly filtered: boolean;
  readonly body: Buffer;
}

/** What stood there, and the index up to which it is so. */
export interface Seen {
  readonly pairs: readonly KvPair[];
  readonly index: bigint;
}

/** The names of the first level below a prefix, and the index of all that lies below it. */
export interface Names {
  /** Directories end in '/'. */
  readonly names: readonly string[];
  readonly index: bigint;
}

/** One step of a transaction, in the order in which they are carried out. */
export interface Step {
  readonly verb:
    | 'set'
    | 'cas'
    | 'lock'
    | 'get'
    | 'get-tree'
    | 'delete'
    | 'delete-tree'
    | 'check-index'
    | 'check-session'
    | 'check-not-exists';
  readonly key: string;
  readonly value?: Uint8Array;
  /** In decimal: JSON's numbers do not hold 64 bits. */
  readonly flags?: string;
  readonly index?: bigint;
  readonly session?: string;
}

export interface TxnAnswer {
  /** Of steps that read or write a key, in order; deletions and `check-not-exists` have none. */
  readonly Results: readonly { readonly KV: KvPair }[] | null;
  readonly Errors: readonly TxnError[] | null;
}

export interface TxnError {
  readonly OpIndex: number;
  readonly What: string;
}

/** Where namespaces and partitions are (Consul Enterprise), each step names its own. */
export interface Place {
  readonly namespace: string | undefined;
  readonly partition: string | undefined;
}

/** Bytes of a body that a server takes for a transaction, at its defaults. */
export const mostTxnBytes: number = 512 * 1024;

/** The body of a transaction. Not by JSON.stringify of objects: flags and indices are 64 bits wide. */
export function txnBody(steps: readonly Step[], place: Place): Buffer {
  return Buffer.from(`[${steps.map(step => stepJson(step, place)).join(',')}]`);
}

/** Bytes of a step in a body, roughly. */
export function stepBytes({ key, value }: Step): number {
  return key.length * 3 + (value === undefined ? 0 : Math.ceil(value.length / 3) * 4) + 150;
}

export function parsed<T>({ body }: Answer): T {
  return JSON.parse(body.toString()) as T;
}

/** The pairs of an answer of the key-value store; none where there is no such key. */
export function pairsOf(answer: Answer): readonly KvPair[] {
  return answer.status === 404 ? [] : parsed<readonly KvPair[]>(answer);
}

/** The names of the first level, which wake as all that lies below does. */
export function namesOf(path: string): Request {
  return { method: 'GET', path: '/kv/{key}', key: path, query: { keys: '', separator: '/' } };
}

export function namesIn(answer: Answer): Names {
  return { names: answer.status === 404 ? [] : parsed<readonly string[]>(answer), index: answer.index };
}

/** The pairs that a transaction read; none where one was absent. */
export function txnPairs(answer: Answer): readonly KvPair[] {
  return answer.status === 409 ? [] : (parsed<TxnAnswer>(answer).Results ?? []).map(({ KV }) => KV);
}

function stepJson({ verb, key, value, flags, index, session }: Step, { namespace, partition }: Place): string {
  let json = `{"KV":{"Verb":"${verb}","Key":${JSON.stringify(key)}`;
  if (value !== undefined) json += `,"Value":"${base64(value)}"`;
  if (flags !== undefined) json += `,"Flags":${flags}`;
  if (index !== undefined) json += `,"Index":${index}`;
  if (session !== undefined) json += `,"Session":${JSON.stringify(session)}`;
  if (namespace !== undefined) json += `,"Namespace":${JSON.stringify(namespace)}`;
  if (partition !== undefined) json += `,"Partition":${JSON.stringify(partition)}`;
  return `${json}}}`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

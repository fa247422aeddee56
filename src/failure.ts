/** A failure: what a client's error means in our words, and whether the server can have acted on the request. */
import { KvError, type KvErrorCode } from './errors.js';

/**
 * What became of a request that failed.
 *
 * `unsent`: no server saw it; `refused`: a server saw it and did nothing; `unknown`: it may have been carried out.
 */
export type Fate = 'unsent' | 'refused' | 'unknown';

export interface Failure {
  readonly code: KvErrorCode;
  readonly message: string;
  readonly fate: Fate;
  /** The server's or the client's own words, without what we had sent. */
  readonly cause: unknown;
}

/** ms that a try needs at least: one that its deadline cuts short hides why the tries before it failed. */
const leastTry = 50;

/** What words in an error mean. */
export type Verdict = readonly [words: RegExp, code: KvErrorCode, fate: Fate, message: string];

/** What the first verdict says whose words are in the text; undefined where none are. */
export function verdictOn(text: string, verdicts: readonly Verdict[], cause: unknown): Failure | undefined {
  const verdict = verdicts.find(([words]) => words.test(text));
  return verdict === undefined ? undefined : { code: verdict[1], fate: verdict[2], message: verdict[3], cause };
}

/** Whether a request may be made again: something in between failed, and not the request itself. */
export function isPassing({ code }: Pick<Failure, 'code'>): boolean {
  return code === 'unavailable' || code === 'timeout' || code === 'overloaded';
}

/**
 * Whether another try can still be answered in time.
 *
 * @param left  ms until the deadline
 * @param pause  ms that the try is to wait before
 */
export function leavesTime(left: number, pause: number): boolean {
  return left - pause >= leastTry;
}

/**
 * Why the package of a client could not be loaded: `unsupported`, and where it is missing, what to install.
 *
 * @param name  of the package: "etcd3"
 * @param wanted  as it is to be installed, where that is more than its name: "client@1.1.3"
 */
export function notLoaded(error: unknown, backend: string, name: string, wanted: string = name): KvError {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const missing = /^(?:ERR_)?MODULE_NOT_FOUND$/.test(String(code)) && String(message).includes(`'${name}'`);
  return new KvError(
    'unsupported',
    missing
      ? `rxkv/${backend} needs the package ${name}: npm install ${wanted}`
      : `the package ${name} could not be loaded on this machine (see cause)`,
    { backend, cause: error },
  );
}

/** Errors: what lmdb, the disk and the file system say, in our words. */
import { KvError, type KvErrorCode, type KvErrorDetail } from '../../errors.js';

const backend = 'lmdb';

/** Codes of Node (strings), of the operating system (positive) and of LMDB (negative). */
const codes: ReadonlyMap<string | number, readonly [KvErrorCode, (path: string) => string]> = new Map<
  string | number,
  readonly [KvErrorCode, (path: string) => string]
>([
  ...each(['EACCES', 'EPERM', 'EROFS', 1, 13, 30], 'denied', path => `${path} must be readable and writable for this process`),
  ...each(['ENOSPC', 'EDQUOT', 28, 122], 'unavailable', path => `the disk of ${path} is full`),
  ...each(['EEXIST', 'ENOTDIR', 17, 20], 'invalid', path => `${path} is no folder, and path names the folder of the database`),
  ...each(['EISDIR', 21], 'invalid', path => `${path} has a folder where LMDB keeps a file (data.mdb, lock.mdb)`),
  ...each(
    ['ENAMETOOLONG', 'ELOOP', 'ERR_INVALID_ARG_VALUE', 36, 40],
    'invalid',
    path => `${JSON.stringify(path)} cannot be the path of a folder`,
  ),
  ...each(['EMFILE', 'ENFILE', 24, 23], 'unavailable', path => `too many open files to open ${path}`),
  ...each(['ENOMEM', 12], 'unavailable', path => `not enough memory to map ${path}`),
  ...each(['EIO', 5], 'unavailable', path => `the disk of ${path} failed, or is full`),
  ...each([-30790], 'overloaded', path => `all reader slots of ${path} are taken`),
  ...each([-30793], 'invalid', path => `${path} holds files that are no LMDB database`),
  ...each([-30794], 'invalid', path => `${path} was written by another version of LMDB`),
  ...each([-30796, -30797], 'internal', path => `the database in ${path} is damaged`),
]);

/** The error as a KvError: the one place where lmdb's become ours. */
export function translated(error: unknown, path: string, detail: KvErrorDetail = {}): KvError {
  if (KvError.is(error)) return error;
  const known = codes.get(codeOf(error));
  if (known === undefined) return new KvError('internal', `lmdb failed on ${path} (see cause)`, { backend, cause: error, ...detail });
  const [code, message] = known;
  return new KvError(code, message(path), { backend, cause: error, ...detail });
}

/** The same for a failed commit, whose real cause lmdb keeps in a second promise. */
export async function commitFailure(error: unknown, path: string): Promise<KvError> {
  const cause = commitErrorOf(error);
  // It is rejected in the turn in which the commit is; were it ever not, the outer error says enough.
  const inner = cause === undefined ? undefined : await Promise.race([cause.catch((reason: unknown) => reason), nextTurn()]);
  return translated(inner instanceof Error ? inner : error, path, { outcome: 'unknown' });
}

/** Why the package lmdb could not be loaded. */
export function notLoaded(error: unknown): KvError {
  const message = isMissing(error)
    ? 'rxkv/lmdb needs the package lmdb: npm install lmdb'
    : 'the package lmdb could not be loaded on this machine (see cause): npm rebuild lmdb';
  return new KvError('unsupported', message, { backend, cause: error });
}

/** As import() and, from our CommonJS build, require() say it; a package that lmdb itself lacks is another matter. */
function isMissing(error: unknown): boolean {
  return (
    error instanceof Error &&
    /^(?:ERR_)?MODULE_NOT_FOUND$/.test(String((error as NodeJS.ErrnoException).code)) &&
    error.message.includes("'lmdb'")
  );
}

export function closed(path: string): KvError {
  return new KvError('closed', `the store on ${path} is closed`, { backend });
}

function each(
  values: readonly (string | number)[],
  code: KvErrorCode,
  message: (path: string) => string,
): (readonly [string | number, readonly [KvErrorCode, (path: string) => string]])[] {
  return values.map(value => [value, [code, message]] as const);
}

function codeOf(error: unknown): string | number {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' || typeof code === 'number' ? code : '';
}

function commitErrorOf(error: unknown): Promise<unknown> | undefined {
  const inner = (error as { commitError?: unknown } | null)?.commitError;
  return inner instanceof Promise ? inner : undefined;
}

function nextTurn(): Promise<undefined> {
  return new Promise(resolve => setImmediate(resolve, undefined));
}

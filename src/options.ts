/** Options of drivers: as all are checked, knowing besides what other clients call them. */
import { checkKnown, nearest as nearestKnown } from './known.js';

// What others call it, in lower case, by what it is called here: far apart as letters, near in meaning.
const synonyms: ReadonlyMap<string, readonly string[]> = new Map([
  ['hosts', ['endpoint', 'endpoints', 'url', 'urls', 'address', 'addresses', 'server', 'servers', 'nodes', 'connectionstring', 'port']],
  ['root', ['prefix', 'namespace', 'basepath', 'directory', 'chroot', 'keyprefix']],
  ['auth', ['username', 'password', 'user', 'token', 'credentials']],
  ['tls', ['ssl', 'ca', 'cert', 'secure', 'certificate']],
  ['path', ['file', 'filename', 'folder', 'dir']],
]);

/**
 * Checks that `given` is an object with no other options than the `known` ones. One that is undefined counts as
 * left out, and so does `given` itself.
 *
 * @param where  whose options they are, for the message: "etcd()"
 * @throws KvError `invalid`: `unknown option "endpoint" of etcd(): did you mean "hosts"?`
 */
export function checkOptions(given: unknown, known: readonly string[], where: string): void {
  checkKnown(given, known, where, nearest);
}

/** The one of `known` that was probably meant by `name`, near in meaning or as letters; undefined where none is. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const written = name.toLowerCase();
  return known.find(candidate => synonyms.get(candidate)?.includes(written)) ?? nearestKnown(name, known);
}

/** Options: refusing those that nobody knows, since a misspelt one would be ignored in silence. */
import { invalid } from './errors.js';
import { kindOf } from './kind.js';

/** What other clients call it, and what it is called here; far apart as letters, near in meaning. */
const meant: ReadonlyMap<string, readonly string[]> = new Map([
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
  if (given === undefined) return;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalid(`the options of ${where} are an object, not ${kindOf(given)}`);
  }
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && !known.includes(name)) throw invalid(`unknown option "${name}" of ${where}: ${hint(name, known)}`);
  }
}

/** The one of `known` that was probably meant by `name`; undefined where none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const written = name.toLowerCase();
  const same = known.find(candidate => meant.get(candidate)?.includes(written));
  if (same !== undefined) return same;
  let best: string | undefined;
  // Over half of the letters wrong is another word.
  let least = Math.max(2, Math.ceil(name.length / 2)) + 1;
  for (const candidate of known) {
    const distance = editDistance(written, candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

function hint(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  if (near !== undefined) return `did you mean "${near}"?`;
  return known.length === 0 ? 'it has none' : `known are ${known.map(candidate => `"${candidate}"`).join(', ')}`;
}

/** Letters to insert, remove or replace to make one word of the other (Levenshtein), in one row of the table. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

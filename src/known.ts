/** Known names: refusing an option that nobody knows, since a misspelt one would be ignored in silence. */
import { invalid } from './errors.js';
import { kindOf } from './kind.js';

/**
 * Checks that `given` is an object with no other options than the `known` ones. One that is undefined counts as
 * left out, and so does `given` itself.
 *
 * @param where  whose options they are, for the message: "etcd()"
 * @param meant  which of the known names somebody probably meant by another; the nearest by default
 * @throws KvError `invalid`: `unknown option "host" of etcd(): did you mean "hosts"?`
 */
export function checkKnown(given: unknown, known: readonly string[], where: string, meant: Meant = nearest): void {
  if (given === undefined) return;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalid(`the options of ${where} are an object, not ${kindOf(given)}`);
  }
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && !known.includes(name))
      throw invalid(`unknown option "${name}" of ${where}: ${hint(meant(name, known), known)}`);
  }
}

type Meant = (name: string, known: readonly string[]) => string | undefined;

/** The one of `known` that takes the fewest letters to change; undefined where none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  // Over half of the letters wrong is another word, and so are more than a few.
  const most = Math.min(Math.max(2, Math.ceil(name.length / 2)), 6);
  const distances = known.map(candidate => editDistance(name.toLowerCase(), candidate.toLowerCase(), most));
  const least = Math.min(...distances);
  return least > most ? undefined : known[distances.indexOf(least)];
}

function hint(near: string | undefined, known: readonly string[]): string {
  if (near !== undefined) return `did you mean "${near}"?`;
  return known.length === 0 ? 'it has none' : `known are ${known.map(candidate => `"${candidate}"`).join(', ')}`;
}

/** Letters to insert, remove or replace to make one word of the other (Levenshtein); over `most` where it takes more. */
function editDistance(a: string, b: string, most: number): number {
  if (most < 0 || a === b) return 0;
  const [rest, other] = [a.slice(1), b.slice(1)];
  if (a[0] === b[0]) return editDistance(rest, other, most);
  const left = most - 1;
  return 1 + Math.min(editDistance(rest, other, left), editDistance(rest, b, left), editDistance(a, other, left));
}

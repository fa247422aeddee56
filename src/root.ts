/** A root: what stands before each key of a store, so that several stores share one server. */
import { invalid } from './errors.js';
import { normaliseDirectory, reserved } from './key.js';
import { isWellFormed } from './text.js';

/** The options of a driver that say where its store's keys are. */
export interface RootOptions {
  /** A directory that all keys are under, slashes added or dropped as needed. None by default. */
  root?: string;
  /** A prefix byte for byte instead of `root`, for key spaces that others wrote. */
  rawRoot?: string;
}

/**
 * What stands before each key: '' or a directory with its slash, or the raw prefix as it is.
 *
 * @param where whose options they are, for the message: "etcd()"
 * @throws KvError `invalid` for both at once, for what is no directory, and for the reserved segment
 */
export function rootOf({ root, rawRoot }: RootOptions, where: string): string {
  if (rawRoot === undefined) return root === undefined ? '' : normaliseDirectory(root);
  if (root !== undefined) throw invalid(`${where} takes root or rawRoot, not both`);
  if (typeof rawRoot !== 'string' || !isWellFormed(rawRoot)) throw invalid(`rawRoot of ${where} is a string without half surrogate pairs`);
  if (rawRoot.split('/').includes(reserved)) throw invalid(`rawRoot of ${where} has the reserved segment "${reserved}"`);
  return rawRoot;
}

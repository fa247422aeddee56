/** A look at a folder of LMDB: its files are read, by us and not by LMDB, and nothing is changed. */
import { accessSync, closeSync, constants, fstatSync, openSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { alive } from '../local/row.js';
import { dataFile } from './client.js';
import { bootId, monotonic, wall } from './clock.js';
import { surveyFreeList } from './free-list.js';
import { databases, type Holdings, holdingsOf, positionOf, queuesOf, type Records, records, schemaOf, type Trees } from './holdings.js';
import type { InspectedContents, InspectedFile, InspectedProblem, Inspection, InspectionVerdict } from './inspection.js';
import { format, type Meta, newestMeta, newestTransaction } from './meta.js';
import { oldPosition, oldSchema, otherSchema, remedyFor, schema as ours } from './schema.js';
import { lowSpace } from './space.js';
import { Survey, type Tree, treeOf } from './survey.js';

export interface Look {
  readonly inspection: Inspection;
  /** Another one as soon as somebody has written. */
  readonly stamp: string;
}

type Found = Pick<Inspection, 'verdict' | 'problems' | 'database' | 'contents'>;

const mostFiles = 100;

export const busy: InspectedProblem = {
  wrong: 'the database was written to faster than it could be read',
  remedy: 'it is in use; stop the writers to have it looked at as a whole',
};
const otherPath = 'give lmdb() another path, or move away what is there';
const restore =
  'stop all processes that have the folder open, keep a copy of it, and restore a backup; without one, move the folder away and begin anew';

export function look(path: string): Look {
  try {
    return lookInto(path);
  } catch (error) {
    return { inspection: unread(path, error), stamp: 'unread' };
  }
}

function lookInto(path: string): Look {
  const folder = statSync(path, { throwIfNoEntry: false });
  if (folder === undefined) return { inspection: { path, verdict: 'absent', problems: [], files: [] }, stamp: 'absent' };
  if (!folder.isDirectory()) return foreign(path, [], `${path} is no folder`);
  const files = filesIn(path);
  const odd = files.find(({ name, kind }) => kind !== 'file' && (name === 'data.mdb' || name === 'lock.mdb'));
  if (odd !== undefined) return foreign(path, files, `${join(path, odd.name)} is no file, and LMDB keeps a file there`);
  const around = problemsAround(path);
  if (!files.some(({ name, bytes }) => name === 'data.mdb' && bytes > 0))
    return { inspection: { path, verdict: 'empty', problems: around, files }, stamp: 'empty' };
  const file = openSync(dataFile(path), 'r');
  try {
    const stamp = stampOf(file);
    const found = readDatabase(file, dataFile(path));
    return { inspection: { path, ...found, problems: [...found.problems, ...around], files }, stamp };
  } finally {
    closeSync(file);
  }
}

function readDatabase(file: number, name: string): Found {
  const { size } = fstatSync(file);
  const meta = newestMeta(file, size);
  if ('wrong' in meta)
    return { verdict: meta.kind, problems: [{ wrong: `${name} ${meta.wrong}`, remedy: meta.kind === 'foreign' ? otherPath : restore }] };
  const pages = Math.floor(fstatSync(file).size / meta.pageSize);
  const survey = new Survey({ file, pageSize: meta.pageSize, pages, transaction: meta.transaction });
  const root = rootOf(survey, meta);
  const read = readContents(survey, root, name);
  // What others keep may be of a kind that is not ours to read, and what is in use is not known then. A layout that we
  // do not know is no damage.
  const known = read.verdict !== 'newer' && read.verdict !== 'older';
  if (known && !root.others) surveyFreeList(survey, meta);
  const database = { format, pageSize: meta.pageSize, pages, usedPages: survey.used, transaction: meta.transaction };
  // Two commits on, pages that we read may have been written over.
  if (newestTransaction(file, meta.pageSize) > meta.transaction + 1) return { verdict: 'busy', problems: [busy], database };
  if (survey.faults.length === 0 || !known) return { ...read, database };
  const truncated = pages <= meta.lastPage ? [`it has ${pages} of ${meta.lastPage + 1} pages`] : [];
  const problems = [...truncated, ...survey.faults].map(wrong => ({ wrong: `${name} is damaged: ${wrong}`, remedy: restore }));
  return { ...read, verdict: 'damaged', problems, database };
}

/** What the root lists. */
interface Root {
  /** The databases of rxkv. */
  readonly trees: Partial<Trees>;
  readonly written: Records;
  /** Whether it has the database of the old layout. */
  readonly old: boolean;
  /** Whether there is anything else. */
  readonly others: boolean;
}

function rootOf(survey: Survey, { roots, depths }: Meta): Root {
  const trees: Partial<Record<keyof Trees, Tree>> = {};
  const written = new Map<string, Buffer>();
  let old = false;
  let others = false;
  survey.walk({ name: 'the list of databases', root: roots[1], depth: depths[1] }, found => {
    // The package lmdb ends names with a NUL.
    const title = found.key.toString('utf8').replace(/\0$/, '');
    const own = databases.find(each => title === `rxkv/${each}`);
    const tree = found.subDatabase ? treeOf(title, found) : undefined;
    if (own !== undefined && tree !== undefined) trees[own] = tree;
    else if (records.includes(title) && !found.subDatabase) written.set(title, found.value);
    else if (title === oldPosition) old = true;
    else others = true;
  });
  return { trees, written, old, others };
}

function readContents(survey: Survey, { trees, written, old, others }: Root, name: string): Found {
  const schema = old ? oldSchema : schemaOf(written);
  // Databases are made one by one, and the records are written when all are there.
  if (written.size === 0 && !old)
    return others
      ? { verdict: 'foreign', problems: [{ wrong: `${name} is the LMDB database of another application`, remedy: otherPath }] }
      : { verdict: 'empty', problems: [] };
  if (schema !== undefined && schema !== ours) {
    const problems = [{ wrong: `${name} ${otherSchema(schema)}`, remedy: remedyFor(schema) }];
    return { verdict: schema > ours ? 'newer' : 'older', problems };
  }
  const position = positionOf(survey, written);
  const missing = databases.filter(each => trees[each] === undefined);
  for (const each of missing) survey.fault(`the database rxkv/${each} is missing`);
  if (schema !== ours) survey.fault('it does not say which layout it has');
  if (missing.length > 0 || schema !== ours) return { verdict: 'damaged', problems: [] };
  return { verdict: 'healthy', problems: [], contents: contentsOf(schema, holdingsOf(survey, trees as Trees, position)) };
}

function contentsOf(schema: number, holdings: Holdings): InspectedContents {
  const at = { wall: wall(), monotonic: monotonic(), boot: bootId() };
  const { head, rows, expiring, sessions, contenders } = holdings;
  const live = sessions.filter(session => alive(session, at)).length;
  return {
    schema,
    revision: BigInt(head.revision),
    compacted: BigInt(head.compacted),
    entries: rows - contenders.length,
    expiring,
    sessions: { live, ended: sessions.length - live },
    locks: queuesOf(holdings, at).map(([{ root, lock, created }, ...behind]) => ({
      root,
      name: lock,
      fence: BigInt(created),
      waiting: behind.length,
    })),
  };
}

function filesIn(path: string): InspectedFile[] {
  const names = readdirSync(path).sort();
  const listed = names.filter((name, position) => position < mostFiles || name === 'data.mdb' || name === 'lock.mdb');
  return listed.flatMap(name => {
    const stat = statSync(join(path, name), { throwIfNoEntry: false });
    if (stat === undefined) return [];
    const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : 'other';
    return [{ name, kind, bytes: stat.size, modified: stat.mtime }];
  });
}

/** What would keep a process from using a folder, whatever the database in it. */
function problemsAround(path: string): InspectedProblem[] {
  const problems: InspectedProblem[] = [];
  for (const name of [path, dataFile(path), join(path, 'lock.mdb')]) {
    try {
      accessSync(name, constants.R_OK | constants.W_OK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      problems.push({
        wrong: `this process may not read and write ${name}`,
        remedy: 'give it the permission, which whoever only reads needs as well',
      });
    }
  }
  const low = lowSpace(path);
  if (low !== undefined) problems.push({ wrong: low, remedy: 'make room on it; until then puts are refused as unavailable' });
  return problems;
}

function foreign(path: string, files: readonly InspectedFile[], wrong: string): Look {
  return { inspection: { path, verdict: 'foreign', problems: [{ wrong, remedy: otherPath }], files }, stamp: 'foreign' };
}

/** What the file system said instead of letting us read; anything else is the doing of what is in the file. */
function unread(path: string, error: unknown): Inspection {
  const code = String((error as NodeJS.ErrnoException).code);
  const told = (verdict: InspectionVerdict, wrong: string, remedy: string): Inspection => ({
    path,
    verdict,
    problems: [{ wrong, remedy }],
    files: [],
  });
  if (code === 'ENOENT' || code === 'ENOTDIR') return { path, verdict: 'absent', problems: [], files: [] };
  if (code === 'EACCES' || code === 'EPERM')
    return told('inaccessible', `this process may not read ${path}`, 'inspect it as the user whom it belongs to');
  // EIO, EMFILE and the like.
  if (/^E[A-Z0-9]+$/.test(code))
    return told('inaccessible', `${path} could not be read (${code})`, 'mend that first, then inspect it again');
  return told('damaged', `${path} could not be read (${String(error)})`, restore);
}

function stampOf(file: number): string {
  const { size, mtimeNs, ctimeNs } = fstatSync(file, { bigint: true });
  return `${size} ${mtimeNs} ${ctimeNs}`;
}

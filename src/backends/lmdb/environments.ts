/**
 * Environments: what this process has open, each folder once, however many stores are on it.
 *
 * LMDB forbids to have one open twice in a process (lmdb.h, "Caveats"), and the package lmdb, which shares what it
 * finds open, leaves an open file behind each time. Of all state this alone is the module's: it is the process that
 * has the lock of a folder, not a store. Worker threads have modules of their own, and share by the package lmdb.
 */
import { statSync } from 'node:fs';
import { alone } from './alone.js';

interface Closable {
  close(): Promise<void>;
}

interface Shared<E extends Closable> {
  /** Of the folder. */
  readonly id: string;
  readonly environment: E;
  /** Which data file it has: a folder that was removed and made anew is another one. */
  readonly file: string;
  users: number;
}

/** One folder. What opens it and what closes it take turns. */
interface Place {
  turn: Promise<unknown>;
  shared: Shared<Closable> | undefined;
}

const places: Map<string, Place> = new Map();

/**
 * The environment of a folder, which is there.
 *
 * @param file  the data file, which may not be there yet
 * @param open  called where this process has it not open
 */
export function use<E extends Closable>(folder: string, file: string, open: () => Promise<E>): Promise<E> {
  const id = identityOf(folder);
  return inTurn(id, async place => {
    const found = place.shared as Shared<E> | undefined;
    if (found !== undefined && found.file === identityOf(file)) return userOf(found);
    const environment = await alone(id, open);
    const made: Shared<E> = { id, environment, file: identityOf(file), users: 0 };
    place.shared = made;
    return userOf(made);
  });
}

/** As one user has it: the last to close it closes it. */
function userOf<E extends Closable>(shared: Shared<E>): E {
  const { id, environment } = shared;
  shared.users++;
  const close = async (place: Place): Promise<void> => {
    if (--shared.users > 0) return;
    if (place.shared === shared) place.shared = undefined;
    await alone(id, () => environment.close());
  };
  return { ...environment, close: () => inTurn(id, close) };
}

async function inTurn<T>(id: string, work: (place: Place) => Promise<T>): Promise<T> {
  const place = places.get(id) ?? { turn: Promise.resolve(), shared: undefined };
  places.set(id, place);
  const done = place.turn.then(() => work(place));
  const turn = done.then(
    () => undefined,
    () => undefined,
  );
  place.turn = turn;
  try {
    return await done;
  } finally {
    if (place.turn === turn && place.shared === undefined) places.delete(id);
  }
}

/** What a name stands for now, whichever way it is spelt; the name itself where nothing is there. */
function identityOf(name: string): string {
  const stat = statSync(name, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? name : `${stat.dev}:${stat.ino}`;
}

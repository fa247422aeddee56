/**
 * Marks: files in `marks/` of the folder by which processes tell each other what they are at, until they have died.
 *
 * The name says what, and who: the process, when it began (its id may be another's later), and which of its own.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type State = 'idle' | 'opening' | 'writing';

/** ms after which a process with that id is taken for another one, where the system does not tell when it began. */
const longest = 60_000;

export class Mark {
  private readonly folder: string;
  private readonly start: number | undefined = lookAt(process.pid)?.start;
  private readonly who: string;
  private state: State | undefined;

  /** @param path  of the database @param name  of this one among those of its process */
  constructor(path: string, name: string) {
    this.folder = join(path, 'marks');
    this.who = `${process.pid}.${this.start ?? 0}.${name}`;
  }

  /** Renames the file once it is there, which takes no room on the disk. */
  set(state: State): void {
    if (state === this.state) return;
    if (this.state === undefined) {
      makeFolder(this.folder);
      writeFileSync(this.file(state), '', { mode: 0o600 });
    } else renameSync(this.file(this.state), this.file(state));
    this.state = state;
  }

  remove(): void {
    if (this.state !== undefined) rmSync(this.file(this.state), { force: true });
    this.state = undefined;
  }

  /** The processes that are at it, without this mark; what the dead have left is removed. */
  others(state: State): number[] {
    const own = this.state === state ? `${state}.${this.who}` : undefined;
    const names = this.names().filter(name => name.startsWith(state) && name !== own && this.counts(name, state));
    return names.map(name => whoOf(name).pid);
  }

  private file(state: State): string {
    return join(this.folder, `${state}.${this.who}`);
  }

  private names(): string[] {
    try {
      return readdirSync(this.folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  private counts(name: string, state: State): boolean {
    const { pid, start } = whoOf(name);
    const found = lookAt(pid);
    const lives = this.start === undefined ? isAlive(pid) && this.age(name) < longest : found?.start === start;
    if (!lives) rmSync(join(this.folder, name), { force: true });
    // Stopped, nobody commits; but who opens does harm once it goes on.
    return lives && (state === 'opening' || found?.stopped !== true);
  }

  private age(name: string): number {
    return Date.now() - (statSync(join(this.folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0);
  }
}

/** Not what it is in, which somebody may have removed. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function whoOf(name: string): { readonly pid: number; readonly start: number } {
  const [, pid, start] = name.split('.').map(Number);
  return { pid: pid ?? 0, start: start ?? 0 };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

interface Seen {
  /** When it began, in ticks since the boot. */
  readonly start: number;
  readonly stopped: boolean;
}

/** A process as Linux tells of it; undefined where it is no more, or the system does not tell. */
function lookAt(pid: number): Seen | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program, in brackets, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state = ''] = fields;
    return 'ZX'.includes(state) ? undefined : { start: Number(fields[19]), stopped: 'Tt'.includes(state) };
  } catch {
    return undefined;
  }
}

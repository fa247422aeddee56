/**
 * A server of ours: one process on fixed ports, with its data in a temporary folder.
 *
 * It is started, stopped, killed, stopped in its tracks and started again with or without its data, always on the same ports.
 * It ends with us, whatever ends us (guardian.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Guardian, guard } from './guardian.js';
import { createLog } from './log.js';
import { untilStopped } from './stopped.js';
import { until } from './until.js';

export interface Server extends AsyncDisposable {
  /** For people: `etcd`, `redis replica 1`. */
  readonly name: string;
  /** host:port that clients connect to. */
  readonly host: string;
  readonly port: number;
  /** undefined while it is down. */
  readonly pid: number | undefined;
  /** Whether we started it. A foreign one (`RXKV_TEST_<NAME>_URL`) rejects all that follows but `log`, and its disposal does nothing. */
  readonly owned: boolean;
  /** Starts it where it is down; resolves when it answers. */
  start(): Promise<void>;
  /** SIGTERM, and SIGKILL if it is there 5 s later; resolves when it is gone. The data stays. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when it is gone. The data stays. */
  kill(): Promise<void>;
  /** Kills it and starts it on the same ports, with its data or without; resolves when it answers. */
  restart(data: 'kept' | 'lost'): Promise<void>;
  /** SIGSTOP: from when this returns it keeps its connections, takes new ones (the kernel does), and says nothing. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** The end of what it printed, over all its starts. */
  log(): string;
}

export interface Launch {
  readonly name: string;
  readonly port: number;
  readonly command: string;
  readonly args: readonly string[] | ((folder: string) => readonly string[]);
  readonly env?: Readonly<Record<string, string>>;
  /** Writes what the server needs to find in its folder; called before each start without data. `data/` in it is there. */
  readonly prepare?: (folder: string) => void | Promise<void>;
  /** Whether it answers as it should; failing counts as not yet. */
  readonly ready: () => Promise<boolean>;
  /** ms until a start has failed; 30 000 */
  readonly patience?: number;
}

/** Starts a server; resolves when it is ready, and else rejects with the end of its log. */
export async function launch(what: Launch): Promise<Server> {
  const server = await prepared(what);
  try {
    await server.start();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

/** As {@link launch}, but not started: members of a cluster are ready only together. */
export async function prepared(what: Launch): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), `rxkv-${what.name.replaceAll(/\W+/g, '-')}-`));
  const guardian = guard(folder);
  try {
    await fill(folder, what);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    await guardian.dismiss();
    throw error;
  }
  return new Process(what, folder, guardian);
}

async function fill(folder: string, { prepare }: Launch): Promise<void> {
  await mkdir(join(folder, 'data'), { recursive: true });
  await prepare?.(folder);
}

class Process implements Server {
  readonly owned: boolean = true;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly #what: Launch;
  readonly #folder: string;
  readonly #guardian: Guardian;
  readonly #log: ReturnType<typeof createLog> = createLog();
  #child: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  #disposed = false;

  constructor(what: Launch, folder: string, guardian: Guardian) {
    this.name = what.name;
    this.port = what.port;
    this.host = `127.0.0.1:${what.port}`;
    this.#what = what;
    this.#folder = folder;
    this.#guardian = guardian;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    if (this.#disposed) throw new Error(`${this.name} was disposed of`);
    if (this.#child !== undefined) return;
    const { ready, patience = 30_000 } = this.#what;
    this.#spawn();
    try {
      await until(`${this.name} on port ${this.port} to answer`, ready, { within: patience, unless: () => this.#mustRun() });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`${this.name} did not start: ${why}\n${this.#log.tail()}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    // A stopped process would keep SIGTERM for later.
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    const hard = setTimeout(() => child.kill('SIGKILL'), 5000);
    await this.#gone;
    clearTimeout(hard);
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#gone;
  }

  async restart(data: 'kept' | 'lost'): Promise<void> {
    await this.kill();
    if (data === 'lost') {
      await rm(this.#folder, { recursive: true, force: true });
      await fill(this.#folder, this.#what);
    }
    await this.start();
  }

  pause(): void {
    this.#mustRun();
    this.#child?.kill('SIGSTOP');
    if (this.pid !== undefined) untilStopped(this.pid);
  }

  resume(): void {
    this.#mustRun();
    this.#child?.kill('SIGCONT');
  }

  log(): string {
    return this.#log.text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
    await this.#guardian.dismiss();
  }

  #spawn(): void {
    const { command, args, env } = this.#what;
    this.#log.note(`start ${new Date().toISOString()}`);
    const child = spawn(command, typeof args === 'function' ? args(this.#folder) : args, {
      cwd: this.#folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#guardian.watch(child.pid);
    this.#log.read(child.stdout);
    this.#log.read(child.stderr);
    this.#gone = new Promise(resolve => {
      const gone = (how: string): void => {
        this.#log.note(`ended: ${how}`);
        this.#child = undefined;
        this.#guardian.watch(undefined);
        resolve();
      };
      child.once('exit', (code, signal) => gone(signal ?? `code ${code}`));
      child.once('error', error => gone(error.message));
    });
  }

  #mustRun(): void {
    if (this.#child === undefined) throw new Error(`${this.name} does not run`);
  }
}

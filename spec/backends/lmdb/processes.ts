/**
 * Processes: scripts of this folder that run on their own and talk in lines of JSON.
 *
 * They are plain JavaScript and import the built package, so that they are what a user's second process would be.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { settles, until } from '../../../src/conformance/waiting.js';

/** What a script said; each has its own words for what it means. */
export type Line = Readonly<Record<string, unknown>>;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** All processes of one spec file: `const processes = new Processes(); afterEach(() => processes.end());` */
export class Processes {
  private readonly running: Set<RunningProcess> = new Set();

  /**
   * Starts a script, a path relative to this folder.
   *
   * @param argument what the script finds as JSON in its `process.argv[2]`
   * @param options.env variables beyond ours
   */
  start(script: string, argument: unknown, options: { readonly env?: Readonly<Record<string, string>> } = {}): RunningProcess {
    if (!existsSync(new URL('../../../dist/esm/index.js', import.meta.url)))
      throw new Error('dist/ is missing, and child processes run it: npm run build');
    const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), JSON.stringify(argument)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
    });
    const running = new RunningProcess(child, script);
    this.running.add(running);
    void running.exit.then(() => this.running.delete(running));
    return running;
  }

  /** Kills those that are left. */
  async end(): Promise<void> {
    await Promise.all([...this.running].map(process => process.kill()));
  }
}

export class RunningProcess {
  /** All that it said so far, oldest first. */
  readonly lines: Line[] = [];
  /** Resolves when it has ended and all that it said has come. */
  readonly exit: Promise<Exit>;
  private readonly child: ChildProcess;
  private readonly script: string;
  private complaints = '';
  private ended: Exit | undefined;
  private seen = 0;

  constructor(child: ChildProcess, script: string) {
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error('a process without pipes');
    this.child = child;
    this.script = script;
    createInterface({ input: stdout }).on('line', line => this.lines.push(JSON.parse(line) as Line));
    stderr.on('data', (chunk: Buffer) => {
      this.complaints += chunk.toString();
    });
    // Writing to one that just died is no failure of its own: whoever waits for its answer learns of the end.
    child.stdin?.on('error', () => {});
    this.exit = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve((this.ended = { code, signal })));
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** What it wrote to stderr. */
  get stderr(): string {
    return this.complaints;
  }

  /** The next line with that word in it; lines before it are skipped. Rejects when the process ends first. */
  async next<T extends Line = Line>(word: string, limit = 10_000): Promise<T> {
    let found: Line | undefined;
    await until(
      () => {
        while (found === undefined && this.seen < this.lines.length) {
          const line = this.lines[this.seen++] as Line;
          if (word in line) found = line;
        }
        if (found === undefined && this.ended !== undefined)
          throw new Error(`${this.script} ended before it said "${word}": ${this.story()}`);
        return found !== undefined;
      },
      `${this.script} to say "${word}"; ${this.story()}`,
      limit,
    );
    return found as T;
  }

  /** Hands it a line of JSON on its stdin. */
  send(message: unknown): void {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  /** Sends the signal; does not wait for what it does. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends it as nothing else can, and waits for that. Harmless when it has ended. */
  async kill(): Promise<Exit> {
    this.child.kill('SIGKILL');
    return settles(this.exit, `${this.script} to die`);
  }

  /** Waits for it to end by itself; rejects, with what it complained of, unless it did so with 0. */
  async finished(limit = 10_000): Promise<void> {
    const { code } = await settles(this.exit, `${this.script} to end`, limit);
    if (code !== 0) throw new Error(`${this.script} failed: ${this.story()}`);
  }

  private story(): string {
    const end = this.ended === undefined ? 'running' : `exit ${this.ended.code ?? this.ended.signal}`;
    return `${end}, ${this.lines.length} lines, last ${JSON.stringify(this.lines.at(-1))} ${this.complaints}`;
  }
}

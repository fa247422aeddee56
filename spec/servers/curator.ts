/** Curator: the Java library of ZooKeeper's recipes, as a process that is told what to do line by line. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Program } from './found.js';
import { createLog } from './log.js';
import { until } from './until.js';

export interface Curator extends AsyncDisposable {
  /** Sends a command of curator.rhino.js; resolves with its answer. */
  ask(command: string): Promise<string>;
  /** Resolves once it has printed that line. */
  said(line: string): Promise<unknown>;
  /** SIGKILL: its session stays until the server has missed it. */
  kill(): void;
  /** What it printed. */
  log(): string;
}

const script = fileURLToPath(new URL('curator.rhino.js', import.meta.url));

/** @param host  `host:port` of the server that it connects to; resolves once it is connected */
export async function startCurator(program: Program, host: string): Promise<Curator> {
  const args = [
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
    ...program.args,
    'org.mozilla.javascript.tools.shell.Main',
    '-opt',
    '-1',
    script,
    host,
  ];
  const child = spawn(program.command, args, { env: { ...process.env, ...program.env }, stdio: ['pipe', 'pipe', 'pipe'] });
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()));
  const log = createLog();
  log.read(child.stderr);
  const lines = linesOf(child);
  const said = (line: string): Promise<unknown> =>
    until(`Curator to say "${line}"`, () => lines.includes(line), { within: 20_000, unless: () => mustRun(child, log.tail()) });
  await said('ready');
  return {
    async ask(command) {
      const before = lines.length;
      child.stdin.write(`${command}\n`);
      // What it says of its own accord is no answer.
      const answer = await until(`an answer to "${command}"`, () => lines.slice(before).find(line => !/^(?:leads|event) /.test(line)), {
        within: 20_000,
        unless: () => mustRun(child, log.tail()),
      });
      return answer;
    },
    said,
    kill: () => void child.kill('SIGKILL'),
    log: () => `${lines.join('\n')}\n${log.text()}`,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

function linesOf(child: ChildProcess): string[] {
  const lines: string[] = [];
  let rest = '';
  child.stdout?.on('data', (piece: Buffer) => {
    const parts = (rest + piece.toString()).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  return lines;
}

function mustRun(child: ChildProcess, log: string): void {
  if (child.exitCode !== null || child.signalCode !== null) throw new Error(`Curator has ended\n${log}`);
}

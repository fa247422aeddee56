/** Running a command to its end, with what it said. */
import { spawn } from 'node:child_process';

export interface Ran {
  /** Exit code; -1 after a signal or where it could not be started. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Written to its standard input. */
  readonly input?: string;
  /** ms until it is killed; 120 000 */
  readonly timeout?: number;
}

/** Resolves when the command has ended, however it did. */
export function run(command: string, args: readonly string[], { cwd, env, input = '', timeout = 120_000 }: RunOptions = {}): Promise<Ran> {
  return new Promise(resolve => {
    const child = spawn(command, args, { cwd, env, timeout, killSignal: 'SIGKILL', stdio: 'pipe' });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    // A command that never read its input breaks the pipe; its exit code tells.
    child.stdin.on('error', () => undefined).end(input);
    child.on('error', error => resolve({ code: -1, stdout, stderr: error.message }));
    child.on('close', code => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

/** As {@link run}, and rejects with what the command said on an exit code other than 0. */
export async function must(command: string, args: readonly string[], options?: RunOptions): Promise<Ran> {
  const ran = await run(command, args, options);
  if (ran.code !== 0) throw new Error(`${command} ${args.slice(0, 3).join(' ')} ended with ${ran.code}: ${lastLines(ran)}`);
  return ran;
}

/** The end of what a command said, for a message. */
export function lastLines(ran: Ran): string {
  const lines = (ran.stderr.trim() || ran.stdout.trim()).split('\n');
  return lines.slice(-3).join(' | ') || 'it said nothing';
}

/** Running a program to its end and reading what it said. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** The top folder of the checkout, without a slash at its end. */
export const root: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecuteOptions {
  /** ms until a program that hangs is killed; 50 000 */
  readonly timeout?: number;
  /** In place of ours. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Rejects, with all that the program printed, unless it exits with 0. */
export async function execute(command: string, args: readonly string[], cwd: string, options?: ExecuteOptions): Promise<Finished> {
  const finished = await attempt(command, args, cwd, options);
  if (finished.code === 0) return finished;
  throw new Error(`${command} ${args.join(' ')} exited with ${finished.code}\n${finished.stdout}\n${finished.stderr}`);
}

/** Resolves whatever the exit code is; a program that hangs is killed (code null). */
export async function attempt(
  command: string,
  args: readonly string[],
  cwd: string,
  { timeout = 50_000, env = process.env }: ExecuteOptions = {},
): Promise<Finished> {
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout, killSignal: 'SIGKILL' });
  const exit = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { code, stdout, stderr };
}

/** A development tool of ours. */
export function tool(name: string): string {
  return `${root}/node_modules/.bin/${name}`;
}

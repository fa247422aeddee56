/** A process of its own, which runs the built package: what it prints, and how it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { until } from '../servers/until.js';

export interface Process {
  readonly child: ChildProcess;
  /** All of it so far. */
  readonly printed: () => string;
}

/**
 * Starts a program, which is killed when the test is over.
 *
 * @param options  its only argument, as JSON
 * @example
 * const running = startProcess(new URL('process.mjs', import.meta.url), { hosts: server.host });
 */
export function startProcess(program: URL, options: object): Process {
  const child = spawn(process.execPath, [fileURLToPath(program), JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  return { child, printed: () => text };
}

/** Tells one that says `live` to close; ms from when it says `closed` to its end. */
export async function closing({ child, printed }: Process): Promise<number> {
  await until('it to be live', () => printed().includes('live'));
  child.stdin?.write('close\n');
  await until('it to say closed', () => printed().includes('closed'));
  const closed = performance.now();
  await until('its end', () => child.exitCode === 0);
  return performance.now() - closed;
}

/** What a store prints whose client is not installed: that it was made, then what its first call comes to. */
export async function withoutClient(backend: string, client: string): Promise<string> {
  const { child, printed } = startProcess(new URL('without-client.mjs', import.meta.url), { backend, client });
  // Only then all of it has been read.
  await until('its end', () => child.exitCode === 0 && child.stdout?.closed === true);
  return printed();
}

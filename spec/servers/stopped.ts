/** Waiting for a process to stand still: the system stops its threads one after the other, and the last may still answer. */
import { readdirSync, readFileSync } from 'node:fs';

/** ms after which it is taken for stopped all the same. */
const patience = 1000;

/** Returns when all threads of a process that was sent SIGSTOP have stopped; at once where the system does not tell. */
export function untilStopped(pid: number): void {
  const end = performance.now() + patience;
  while (!isStopped(pid) && performance.now() < end);
}

function isStopped(pid: number): boolean {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.every(thread => /^\d+ \(.*\) [TtZX] /s.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')));
  } catch {
    return true;
  }
}

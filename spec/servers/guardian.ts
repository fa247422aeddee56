/**
 * A guardian: a shell that ends a server when we are gone, however we went.
 *
 * It reads from a pipe whose other end only we hold. The system closes it when our process ends, by exit, by a signal or by
 * SIGKILL alike, and then the guardian kills the process it knows by id and removes its folder. It has a session of its own,
 * so that Ctrl-C on the terminal, which ends us, leaves it its last work.
 */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

export interface Guardian {
  readonly pid: number | undefined;
  /** The process to end, from now on; undefined: none runs. */
  watch(pid: number | undefined): void;
  /** The folder is gone and nothing runs: the guardian goes. Resolves when it is gone. */
  dismiss(): Promise<void>;
}

// $1 is the folder. A line is a process id, '-' or 'done'.
const script = `
pid=-
while read -r line; do
  [ "$line" = done ] && exit 0
  pid=$line
done
[ "$pid" = - ] || kill -9 "$pid"
rm -rf "$1"
# What was being written when it was killed may have made the folder anew.
[ -e "$1" ] && sleep 1 && rm -rf "$1"
`;

/** @param folder removed with everything in it when we are gone */
export function guard(folder: string): Guardian {
  const child = spawn('sh', ['-c', script, 'rxkv-guardian', folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  const gone = new Promise<void>(resolve => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  child.stdin.on('error', () => undefined);
  // Neither it nor the pipe keeps us alive.
  child.unref();
  // A pipe is a socket in Node, which the types do not say.
  (child.stdin as Socket).unref();
  return {
    pid: child.pid,
    watch(pid) {
      child.stdin.write(`${pid ?? '-'}\n`);
    },
    async dismiss() {
      child.ref();
      child.stdin.end('done\n');
      await gone;
    },
  };
}

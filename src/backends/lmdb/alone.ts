/**
 * Alone: what no two processes of this machine may do at one time, with one folder.
 *
 * The last process to close a folder destroys the mutexes in the lock file, and one that opens it at that moment goes
 * on with what is left of them: every transaction of it fails then, "No transaction to renew" (lmdb 3.5.6;
 * `mdb_env_close_active` in its mdb.c). The name of an abstract socket is what Linux gives to one process at a time, and
 * takes back when that dies. Elsewhere LMDB's locks are of another kind, which the system itself keeps.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { delay } from '../../delay.js';

/** ms between two tries. */
const pause = 5;
/** ms: a process that was stopped while it was alone keeps nobody for longer. More than who opens may wait for writers. */
const patience = 5000;

/** Does `work` once no other process does something of the kind with that folder, of which `id` is what the system calls it. */
export async function alone<T>(id: string, work: () => Promise<T>): Promise<T> {
  if (process.platform !== 'linux') return work();
  const name = `\0rxkv/lmdb/${id}`;
  const until = performance.now() + patience;
  let server: Server | undefined;
  while ((server = await taken(name)) === undefined && performance.now() < until) await delay(pause);
  try {
    return await work();
  } finally {
    server?.close();
  }
}

/** undefined while another process has it. */
async function taken(name: string): Promise<Server | undefined> {
  const server = createServer(socket => socket.destroy());
  server.unref();
  server.listen(name);
  try {
    await once(server, 'listening');
    return server;
  } catch {
    return undefined;
  }
}

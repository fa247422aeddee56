/** Free TCP ports on loopback. */
import { randomInt } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';

// Below what kernels hand out for outgoing connections (Linux: from 32 768), so that nothing takes the port of a server
// while it is down between two starts.
const first = 15_000;
const end = 32_000;

/** As many ports as asked for, all different, each free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries++) {
    if (tries > 1000) throw new Error(`no ${count} free ports between ${first} and ${end}`);
    const port = randomInt(first, end);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => {
      const { port: got } = server.address() as AddressInfo;
      server.close(() => resolve(got === port));
    });
  });
}

/** A server that somebody else runs: tests use it, and can neither stop it nor take its data. */
import type { Address } from './found.js';
import type { Server } from './server.js';

/** @throws Error where `RXKV_TEST_<NAME>_URL` is no URL with a host */
export function foreign({ name, url }: Address, defaultPort: number): Server {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new Error(`the URL of the ${name} to test with is none: it has the form scheme://host:port`);
  }
  const port = Number(parsed.port || defaultPort);
  const refuse = (what: string): never => {
    throw new Error(`this ${name} is not ours to ${what}: it was named by the environment`);
  };
  return {
    name,
    host: `${parsed.hostname}:${port}`,
    port,
    pid: undefined,
    owned: false,
    start: async () => refuse('start'),
    stop: async () => refuse('stop'),
    kill: async () => refuse('kill'),
    restart: async () => refuse('restart'),
    pause: () => refuse('pause'),
    resume: () => refuse('resume'),
    log: () => '',
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** What options a foreign server cannot have, since it was started without us. */
export function refuseOptions({ name }: Address, options: object): void {
  const asked = Object.entries(options).filter(([, value]) => value !== undefined && value !== false);
  if (asked.length > 0) throw new Error(`a ${name} named by the environment is used as it is: no ${asked.map(([key]) => key).join(', ')}`);
}

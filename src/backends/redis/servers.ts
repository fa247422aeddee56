/** Servers: where the keys of a store are, be that one server or the masters of a cluster. */
import { closedError } from '../../running.js';
import { type Client, openClient } from './client.js';
import { Cluster } from './cluster.js';
import { credentialsOf } from './credentials.js';
import { backend, failureOf } from './errors.js';
import type { Settings } from './options.js';
import { get, list, read, type Script } from './scripts.js';
import { Sentinels } from './sentinel.js';
import { type Request, Server } from './server.js';
import { commit, put, puts } from './write-scripts.js';

export interface Servers {
  readonly native: unknown;
  /** For people. */
  readonly host: string;
  /** The name of a key decides where it goes. @throws KvError as {@link Server.call} */
  call<T>(name: string, request: Request<T>): Promise<T>;
  /** The one that has that name now. @throws KvError */
  of(name: string, timeout: number): Promise<Server>;
  /** All that have keys, as far as is known, or as they say now. @throws KvError */
  masters(timeout: number, fresh?: boolean): Promise<readonly Server[]>;
  /** A call was not answered in time: a connection on which nothing else was, either, is given up. */
  suspect(): void;
  close(): void;
}

/** The scripts of calls. */
const known: readonly Script[] = [read, get, list, put, puts, commit];

/** @param patience  ms that connecting may take */
export function serversOf(settings: Settings, patience: number): Servers {
  const open = (host: string): Promise<Client> => opened(settings, host, patience);
  const { natMap } = settings;
  if (settings.cluster) return new Cluster({ seeds: settings.hosts, natMap, make: host => new Server(host, () => open(host)) });
  const { sentinel, hosts } = settings;
  const [host = ''] = hosts;
  if (sentinel === undefined) return new Single(new Server(host, () => open(host)));
  const sentinels = new Sentinels({ ...settings, sentinel, patience });
  return new Single(new Server(host, async () => open(await sentinels.master())));
}

/** All keys are on one server. */
class Single implements Servers {
  private readonly server: Server;
  private closed = false;

  constructor(server: Server) {
    this.server = server;
  }

  get native(): unknown {
    return this.server.native;
  }

  get host(): string {
    return this.server.host;
  }

  call<T>(_name: string, request: Request<T>): Promise<T> {
    return this.server.call(request);
  }

  async of(): Promise<Server> {
    if (this.closed) throw closedError(backend);
    return this.server;
  }

  async masters(): Promise<readonly Server[]> {
    return [await this.of()];
  }

  suspect(): void {
    this.server.suspect();
  }

  close(): void {
    this.closed = true;
    this.server.close();
  }
}

/** A connection, with credentials asked for anew; once more where they are refused and may have changed. */
export async function opened(
  { tls, auth, database, cluster }: Pick<Settings, 'tls' | 'auth' | 'database' | 'cluster'>,
  host: string,
  patience: number,
): Promise<Client> {
  for (let attempt = 1; ; attempt++) {
    const credentials = await credentialsOf(auth);
    try {
      const client = await openClient({ host, tls, credentials, database, cluster, patience });
      // Before the first call, so that it needs no second trip; who may not do so takes one.
      for (const { source } of known) client.call('SCRIPT', 'LOAD', source).catch(() => undefined);
      return client;
    } catch (error) {
      const changing = auth !== undefined && 'token' in auth && typeof auth.token === 'function';
      if (!changing || attempt === 2 || failureOf(error).code !== 'denied') throw error;
    }
  }
}

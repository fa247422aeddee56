/** Clients: ours and the stock one, in the same words, so that a test can show what one mends of the other. */
import { Arrivals } from '../../../src/backends/zookeeper/arrivals.js';
import { openClient } from '../../../src/backends/zookeeper/client.js';
import { settingsOf } from '../../../src/backends/zookeeper/options.js';
import { loadPackage, type Manager, type StockClient } from '../../../src/backends/zookeeper/package.js';

export interface ClientOptions {
  readonly hosts: readonly string[];
  /** ms of the session; 1000 */
  readonly session?: number;
  readonly user?: { readonly username: string; readonly password: string };
}

/** As much of the package's Client as the tests call. */
export interface Api extends StockClient {
  getData(path: string, told: (error: Error | null, data?: Buffer) => void): void;
  setData(path: string, data: Buffer, told: (error: Error | null) => void): void;
  exists(path: string, watcher: (event: object) => void, told: (error: Error | null) => void): void;
  create(path: string, data: Buffer, acl: readonly object[] | undefined, told: (error: Error | null) => void): void;
  getState(): { readonly name: string };
}

export interface Opened extends AsyncDisposable {
  readonly client: Api;
  readonly manager: Manager;
  /** Every state that the client has told. */
  readonly states: string[];
}

export type Open = (options: ClientOptions) => Promise<Opened>;

/** The package's client with our connection in it. The first host is tried first. */
export const ours: Open = async ({ hosts, session = 1000, user }) => {
  const quiet = (): void => undefined;
  const settings = settingsOf({ hosts: [...hosts], ...(user === undefined ? {} : { auth: user }) });
  const listener = { established: quiet, cut: quiet, ended: quiet, alive: quiet, event: quiet };
  const { native, connection } = await openClient(settings, { session, silence: 5000, arrivals: new Arrivals(), listener });
  connection.dial.next = 0;
  return opened(native);
};

/** The package's client as it comes. */
export const stock: Open = async ({ hosts, session = 1000, user }) => {
  const { createClient } = await loadPackage();
  const client = createClient(hosts.join(','), { sessionTimeout: session, spinDelay: 50, retries: 0 });
  const { servers } = client.connectionManager;
  // It shuffles them.
  servers.sort((a, b) => hosts.indexOf(`${a.host}:${a.port}`) - hosts.indexOf(`${b.host}:${b.port}`));
  if (user !== undefined) client.addAuthInfo('digest', Buffer.from(`${user.username}:${user.password}`));
  client.connect();
  return opened(client);
};

function opened(client: StockClient): Opened {
  const states: string[] = [];
  client.on('state', (state: { name: string }) => states.push(state.name));
  return {
    client: client as Api,
    manager: client.connectionManager,
    states,
    async [Symbol.asyncDispose]() {
      try {
        client.close();
      } catch {
        // The stock one cannot be closed in every state.
      }
      client.connectionManager.socket?.destroy();
    },
  };
}

/** Settles as the call does; 'pending' where it has not after so many ms. */
export function within<T>(
  ms: number,
  call: (told: (error: Error | null, value?: T) => void) => void,
): Promise<T | Error | 'pending' | undefined> {
  return new Promise(resolve => {
    const late = setTimeout(() => resolve('pending'), ms);
    call((error, value) => {
      clearTimeout(late);
      resolve(error ?? value);
    });
  });
}

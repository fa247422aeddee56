/** Sentinels: who is master now. Any of them that answers will do. */
import type { Auth } from '../../auth.js';
import { type Client, openClient, type Reply } from './client.js';
import { credentialsOf } from './credentials.js';
import type { Settings } from './options.js';

export interface SentinelQuery extends Pick<Settings, 'hosts' | 'tls' | 'natMap'> {
  readonly sentinel: { readonly name: string; readonly auth?: Auth };
  /** ms for each of them */
  readonly patience: number;
}

/** Those of one master. */
export class Sentinels {
  private readonly query: SentinelQuery;
  /** Where the search begins: with the one that answered last. */
  private first = 0;

  constructor(query: SentinelQuery) {
    this.query = query;
  }

  /**
   * host:port of the master.
   *
   * @throws what the last of them said, or that it knows no such master
   */
  async master(): Promise<string> {
    const { hosts, natMap } = this.query;
    const { first } = this;
    let failure: unknown;
    for (let i = 0; i < hosts.length; i++) {
      const at = (first + i) % hosts.length;
      try {
        const master = await ask(hosts[at] as string, this.query);
        this.first = at;
        return natMap.get(master) ?? master;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}

async function ask(host: string, { tls, sentinel, patience }: Omit<SentinelQuery, 'hosts' | 'natMap'>): Promise<string> {
  const { auth, name } = sentinel;
  let client: Client | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const credentials = await credentialsOf(auth);
    client = await openClient({ host, tls, credentials, patience });
    const asked = client;
    timer = setTimeout(() => asked.close(), patience);
    const address = (await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as readonly Reply[] | null;
    if (address === null) throw new Error('NOMASTER the sentinels know no master of that name');
    const [ip, port] = address.map(String);
    return `${ip?.includes(':') === true ? `[${ip}]` : ip}:${port}`;
  } finally {
    clearTimeout(timer);
    client?.close();
  }
}

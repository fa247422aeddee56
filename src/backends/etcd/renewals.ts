/** Renewals: what keeps all leases of a store alive, on one stream that is open while there are any. */
import { KvError } from '../../errors.js';
import { closedError } from '../../running.js';
import type { Client } from './client.js';
import type { Cluster } from './cluster.js';
import { backend, failureOf, translated } from './errors.js';
import type { Duplex, KeepAliveResponse } from './wire.js';

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: KvError) => void;
}

interface Link {
  readonly client: Client;
  readonly stream: Duplex<{ readonly ID: string }, KeepAliveResponse>;
  /** By lease, in the order of asking, which is that of the answers. */
  readonly waiting: Map<string, Waiting[]>;
}

export class Renewals {
  private readonly cluster: Cluster;
  private opening: Promise<Link> | undefined;
  private link: Link | undefined;
  private holders = 0;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  /** Keeps the stream; the function that is returned lets it go. */
  enter(): () => void {
    this.holders++;
    return () => {
      this.holders--;
      if (this.holders === 0) this.close();
    };
  }

  /**
   * Renews a lease.
   *
   * @throws KvError `session-lost` where etcd no longer has it
   */
  async renew(lease: string): Promise<void> {
    const { link } = this;
    // The one before has had a third of the ttl: its stream is of no use, or its whole connection.
    if (link !== undefined && (link.waiting.get(lease)?.length ?? 0) > 0) {
      if (performance.now() - link.client.heardAt > 1000) this.cluster.drop(link.client);
      this.leave(link, new KvError('unavailable', 'a renewal was not answered', { backend }));
    }
    const { stream, waiting } = this.link ?? (await this.open());
    await new Promise<void>((resolve, reject) => {
      const line = waiting.get(lease);
      if (line === undefined) waiting.set(lease, [{ resolve, reject }]);
      else line.push({ resolve, reject });
      stream.write({ ID: lease });
    });
  }

  close(): void {
    if (this.link !== undefined) this.leave(this.link, closedError(backend));
  }

  private open(): Promise<Link> {
    if (this.opening === undefined) {
      const opening = this.connect().finally(() => {
        if (this.opening === opening) this.opening = undefined;
      });
      this.opening = opening;
    }
    return this.opening;
  }

  private async connect(): Promise<Link> {
    const client = await this.cluster.client();
    try {
      const stream = await client.keepAlive();
      const link: Link = { client, stream, waiting: new Map() };
      stream.on('error', error => this.ended(link, error));
      stream.on('end', () => this.ended(link, new Error('14 UNAVAILABLE: the stream was ended')));
      stream.on('data', response => answered(link, response));
      if (this.holders > 0) this.link = link;
      else {
        stream.cancel();
        throw closedError(backend);
      }
      return link;
    } catch (error) {
      if (!KvError.is(error)) this.cluster.failed(client, failureOf(error), false);
      throw translated(error);
    }
  }

  private ended(link: Link, error: Error): void {
    if (this.link === link) this.cluster.failed(link.client, failureOf(error), false);
    this.leave(link, translated(error));
  }

  private leave(link: Link, error: KvError): void {
    if (this.link === link) this.link = undefined;
    const left = [...link.waiting.values()].flat();
    link.waiting.clear();
    link.stream.cancel();
    for (const { reject } of left) reject(error);
  }
}

function answered({ client, waiting }: Link, { ID, TTL }: KeepAliveResponse): void {
  client.heardAt = performance.now();
  const line = waiting.get(ID);
  const first = line?.shift();
  if (line?.length === 0) waiting.delete(ID);
  if (TTL === '0') first?.reject(new KvError('session-lost', 'etcd no longer has the lease', { backend }));
  else first?.resolve();
}

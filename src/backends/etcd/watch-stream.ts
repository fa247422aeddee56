/** A stream of watches: the one that all of a store's watches share, and whether its peer still lives. */
import { type Subscription, timer } from 'rxjs';
import type { Client } from './client.js';
import type { Watch } from './watch.js';
import type { Duplex, WatchRequest, WatchResponse } from './wire.js';

/** Who has the stream. */
export interface StreamOwner {
  heard(stream: WatchStream, response: WatchResponse): void;
  /** Something of the peer was heard since this was last called. */
  alive(): void;
  /** Nothing was heard for half of the silence, though it was asked. */
  hung(stream: WatchStream): void;
  ended(stream: WatchStream, error: Error): void;
}

export class WatchStream {
  readonly client: Client;
  /** Whether the server has taken a watch on it. */
  taken = false;
  private readonly stream: Duplex<WatchRequest, WatchResponse>;
  /** Watches that the server was asked for and has not answered, in the order of asking. */
  private readonly asked: Watch[] = [];
  private probing: Subscription | undefined;

  private constructor(client: Client, stream: Duplex<WatchRequest, WatchResponse>) {
    this.client = client;
    this.stream = stream;
  }

  static async open(client: Client, owner: StreamOwner): Promise<WatchStream> {
    const stream = await client.watch();
    const opened = new WatchStream(client, stream);
    // From the first moment on: an error that nobody listens to ends the process.
    stream.on('error', error => owner.ended(opened, error));
    stream.on('end', () => owner.ended(opened, new Error('14 UNAVAILABLE: the stream was ended')));
    stream.on('data', response => owner.heard(opened, response));
    return opened;
  }

  ask(watch: Watch): void {
    this.asked.push(watch);
    this.stream.write(watch.request());
  }

  /** Which watch an answer to {@link ask} concerns: one that is refused has no id of its own. */
  answered(): Watch | undefined {
    return this.asked.shift();
  }

  awaits(watch: Watch): boolean {
    return this.asked.includes(watch);
  }

  forget(watch: Watch): void {
    this.stream.write({ cancel_request: { watch_id: watch.id } });
  }

  /** Asks for a sign of life in regular turns, and passes on what has been heard. It never moves a revision. */
  probe(silence: number, owner: StreamOwner): void {
    const { client } = this;
    const every = silence / 4;
    client.heardAt = performance.now();
    let heard = client.heardAt;
    const quiet = (): boolean => performance.now() - client.heardAt > silence / 2;
    const look = (): void => {
      if (client.heardAt > heard) {
        heard = client.heardAt;
        owner.alive();
      }
      if (this.probing?.closed === false) this.stream.write({ progress_request: {} });
    };
    this.probing = timer(every, every).subscribe(() => {
      if (!quiet()) return look();
      // After a blocked event loop this timer is due before the sockets have been read: one more turn for them.
      this.probing?.add(timer(0).subscribe(() => (quiet() ? owner.hung(this) : look())));
    });
  }

  close(): void {
    this.probing?.unsubscribe();
    this.stream.cancel();
  }
}

/** A dial: the hosts in turn, the pause before the next of them, and the socket to it. */
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { Fault } from './errors.js';
import { code } from './numbers.js';

/** ms of a pause once every host has failed, growing to the most. */
const firstPause = 25;
const longestPause = 1000;

export class Dial {
  readonly servers: { host: string; port: number }[];
  /** Which of them is dialled next. */
  next: number;
  private readonly hosts: readonly string[];
  private readonly tls: ConnectionOptions | undefined;
  private failures = 0;

  /** @param hosts  `host:port` each, where an IPv6 address has brackets */
  constructor(hosts: readonly string[], tls: ConnectionOptions | undefined) {
    this.hosts = hosts;
    this.tls = tls;
    this.servers = hosts.map(serverOf);
    this.next = Math.floor(Math.random() * hosts.length);
  }

  /** The one that was dialled last. */
  get host(): string {
    const { length } = this.hosts;
    return this.hosts[(this.next + length - 1) % length] as string;
  }

  /** ms to wait before the next. */
  get pause(): number {
    const rounds = Math.floor(this.failures / this.hosts.length);
    return rounds === 0 ? 0 : Math.min(longestPause, firstPause * 2 ** rounds) * (0.5 + Math.random() / 2);
  }

  /** @param connected  told when it is, with TLS where that is wanted */
  open(connected: (socket: Socket) => void): Socket {
    const { tls } = this;
    this.next %= this.hosts.length;
    const { host, port } = this.servers[this.next++] as { host: string; port: number };
    const named = isIP(host) === 0 ? { servername: host } : {};
    const told = (): void => connected(socket);
    const socket: Socket = tls === undefined ? connectPlain({ host, port }, told) : connectTls({ host, port, ...named, ...tls }, told);
    return socket.setNoDelay();
  }

  /** The host that was dialled last has a session for us. */
  succeeded(): void {
    this.failures = 0;
  }

  /** It was lost, or could not be had. */
  failed(): void {
    this.failures++;
  }

  /** A certificate that is refused stays so; undefined for an error that trying again may mend. */
  refusal(error: Error): Fault | undefined {
    const words = `${(error as NodeJS.ErrnoException).code} ${error.message}`;
    if (this.tls === undefined || !/cert|self.signed|altname|alert|EPROTO|wrong version/i.test(words)) return undefined;
    return new Fault(code.refusedTls, { cause: error });
  }
}

function serverOf(host: string): { host: string; port: number } {
  const colon = host.lastIndexOf(':');
  return { host: host.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(host.slice(colon + 1)) };
}

/** A connection to a server on loopback, plain or with TLS, for our own small clients. */
import { type Socket, connect as connectPlain } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import type { Certificates } from './certificates.js';

export interface Peer {
  /** host:port */
  readonly host: string;
  readonly certificates?: Pick<Certificates, 'ca'> & Partial<Pick<Certificates, 'client'>>;
}

/** ms that a peer may say nothing before the connection is destroyed with an error; `socket.setTimeout(0)` lifts it. */
export const silence: number = 2000;

/** Resolves when connected. The socket fails for whoever reads it, never for the process. */
export function dial({ host, certificates }: Peer): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(`tcp://${host}`);
    const at = { host: hostname, port: Number(port) };
    const socket: Socket =
      certificates === undefined
        ? connectPlain(at, () => resolve(socket))
        : connectSecure({ ...at, ca: certificates.ca, ...certificates.client }, () => resolve(socket));
    socket.setTimeout(silence, () => socket.destroy(new Error(`${host} said nothing for ${silence} ms`)));
    socket.on('error', reject);
    socket.once('close', () => reject(new Error(`${host} closed the connection`)));
  });
}

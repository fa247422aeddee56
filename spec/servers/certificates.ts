/**
 * Throw-away certificates, made on the spot by the openssl on PATH: an authority, a server's for loopback, and a client's.
 *
 * Keys are of P-256, which takes a few ms; a day is all they live.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from './run.js';

/** PEM, as `TlsOptions` of a store takes it. Keys are PKCS #8, without a password. */
export interface Certificates {
  readonly ca: string;
  readonly server: KeyPair;
  readonly client: KeyPair;
}

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** @throws Error where there is no openssl */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), 'rxkv-certificates-'));
  try {
    const inFolder = (file: string): string => join(folder, file);
    await openssl([
      'req',
      '-x509',
      ...newKey('ca', inFolder),
      '-days',
      '1',
      '-subj',
      '/CN=rxkv test authority',
      '-out',
      inFolder('ca.pem'),
    ]);
    const pair = async (name: string, subject: string, extensions: string): Promise<KeyPair> => {
      await openssl(['req', ...newKey(name, inFolder), '-subj', subject, '-out', inFolder(`${name}.csr`)]);
      await writeFile(inFolder(`${name}.ext`), extensions);
      const signing = ['-CA', inFolder('ca.pem'), '-CAkey', inFolder('ca.key'), '-CAcreateserial', '-days', '1'];
      const request = ['-in', inFolder(`${name}.csr`), '-extfile', inFolder(`${name}.ext`), '-out', inFolder(`${name}.pem`)];
      await openssl(['x509', '-req', ...signing, ...request]);
      return { cert: await readFile(inFolder(`${name}.pem`), 'utf8'), key: await readFile(inFolder(`${name}.key`), 'utf8') };
    };
    // No common names: etcd takes that of a client for a user, and its HTTP door, itself a client, refuses such requests.
    // The server is a client too: members of a cluster call each other, and etcd's HTTP door calls its own gRPC one.
    const server = await pair(
      'server',
      '/O=rxkv test server',
      'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n',
    );
    const client = await pair('client', '/O=rxkv test client', 'extendedKeyUsage=clientAuth\n');
    return { ca: await readFile(inFolder('ca.pem'), 'utf8'), server, client };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The files that servers read: `ca.pem`, `server.pem`, `server.key`, and `server-both.pem` with key and certificate for ZooKeeper. */
export async function writeCertificates(folder: string, { ca, server, client }: Certificates): Promise<void> {
  const files = {
    'ca.pem': ca,
    'server.pem': server.cert,
    'server.key': server.key,
    'server-both.pem': server.key + server.cert,
    'client.pem': client.cert,
    'client.key': client.key,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 });
}

function newKey(name: string, inFolder: (file: string) => string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', inFolder(`${name}.key`)];
}

async function openssl(args: readonly string[]): Promise<void> {
  await must('openssl', args);
}

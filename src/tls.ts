/** TLS as every networked backend takes it: certificates as PEM, and who the server must be. */
import { invalid } from './errors.js';
import { kindOf } from './kind.js';
import { checkOptions } from './options.js';
import { isBytes } from './value.js';

/** PEM, as text or bytes. */
export type Pem = string | Uint8Array;

export interface TlsOptions {
  /** Certificates of the authorities to trust; those that the machine trusts by default. */
  ca?: Pem;
  /** Our own certificate, for servers that ask for one; needs `key`. */
  cert?: Pem;
  key?: Pem;
  /** Of an encrypted `key`. */
  passphrase?: string;
  /** The name that the server's certificate must have; that of the host by default. */
  servername?: string;
  /** `false` accepts any certificate: for tests only. */
  rejectUnauthorized?: boolean;
}

const pems = ['ca', 'cert', 'key'] as const;
const texts = ['passphrase', 'servername'] as const;

/**
 * The options as they are, `{}` for `true`, undefined where there are none.
 *
 * @param where whose options they are, for the message: "etcd()"
 * @throws KvError `invalid` for an unknown option, one of another type, or a certificate without its key
 */
export function tlsOf(given: TlsOptions | boolean | undefined, where: string): TlsOptions | undefined {
  if (given === undefined || given === false) return undefined;
  if (given === true) return {};
  checkOptions(given, [...pems, ...texts, 'rejectUnauthorized'], `tls of ${where}`);
  for (const name of pems) {
    const pem = given[name];
    if (pem !== undefined && typeof pem !== 'string' && !isBytes(pem)) throw notA('PEM text or bytes', name, pem, where);
  }
  for (const name of texts)
    if (given[name] !== undefined && typeof given[name] !== 'string') throw notA('a string', name, given[name], where);
  if (given.rejectUnauthorized !== undefined && typeof given.rejectUnauthorized !== 'boolean')
    throw notA('true or false', 'rejectUnauthorized', given.rejectUnauthorized, where);
  if ((given.cert === undefined) !== (given.key === undefined)) throw invalid(`tls of ${where} takes cert and key together`);
  return given;
}

function notA(wanted: string, name: string, value: unknown, where: string): Error {
  return invalid(`tls.${name} of ${where} is ${wanted}, not ${kindOf(value)}`);
}

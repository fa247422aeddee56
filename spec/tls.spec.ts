import { expect, test } from 'vitest';
import { type TlsOptions, tlsOf } from '../src/tls.js';

test('true is TLS with what the machine trusts, false and undefined are none', () => {
  expect(tlsOf(true, 'etcd()')).toEqual({});
  expect(tlsOf(false, 'etcd()')).toBeUndefined();
  expect(tlsOf(undefined, 'etcd()')).toBeUndefined();
});

test('certificates are text or bytes, and are taken as they are', () => {
  const tls: TlsOptions = {
    ca: new Uint8Array([1]),
    cert: 'cert',
    key: 'key',
    passphrase: 'secret',
    servername: 'a',
    rejectUnauthorized: false,
  };
  expect(tlsOf(tls, 'etcd()')).toBe(tls);
});

test.each([
  [{ cert: 'cert' }, 'tls of etcd() takes cert and key together'],
  [{ key: 'secret' }, 'tls of etcd() takes cert and key together'],
  [{ ca: 1 }, 'tls.ca of etcd() is PEM text or bytes, not a number'],
  [{ passphrase: 1 }, 'tls.passphrase of etcd() is a string, not a number'],
  [{ servername: true }, 'tls.servername of etcd() is a string, not a boolean'],
  [{ rejectUnauthorized: 'no' }, 'tls.rejectUnauthorized of etcd() is true or false, not a string'],
  [{ CA: 'secret' }, 'unknown option "CA" of tls of etcd(): did you mean "ca"?'],
  ['secret', 'the options of tls of etcd() are an object, not a string'],
])('%j: %s', (tls, message) => {
  expect(() => tlsOf(tls as unknown as TlsOptions, 'etcd()')).toThrow(message);
  expect(() => tlsOf(tls as unknown as TlsOptions, 'etcd()')).not.toThrow(/secret/);
});

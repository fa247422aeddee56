import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { redis } from '../../../src/backends/redis/index.js';
import { createStore } from '../../../src/store.js';

test('what answers as no Redis does is unavailable, and is called so', async () => {
  const server = createServer(socket => {
    socket.on('error', () => {});
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const store = createStore(redis({ hosts: `127.0.0.1:${(server.address() as AddressInfo).port}` }), { timeout: 3000 });
  await expect(store.ready()).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('is not Redis') });
  await store.close();
  server.close();
});
test.each([
  [
    'throws',
    () => {
      throw new Error('the vault is sealed');
    },
    'auth.token of redis() failed (see cause)',
  ],
  ['rejects', () => Promise.reject(new Error('the vault is sealed')), 'auth.token of redis() failed (see cause)'],
  ['gives no string', () => undefined as never, 'auth.token of redis() gave no string'],
])('a provider of the token that %s is a denial, told as its own', async (_, token, message) => {
  const store = createStore(redis({ hosts: '127.0.0.1:1', auth: { token } }), { timeout: 5000 });
  await expect(store.ready()).rejects.toMatchObject({ code: 'denied', backend: 'redis', message });
  await store.close();
  const behind = createStore(redis({ hosts: '127.0.0.1:1', sentinel: { name: 'mymaster', auth: { token } } }), { timeout: 5000 });
  await expect(behind.get('a')).rejects.toMatchObject({ code: 'denied', message });
  await behind.close();
});

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
  const store = createStore(redis({ hosts: `127.0.0.1:${(server.address() as AddressInfo).port}` }), { timeout: 500 });
  await expect(store.ready()).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('is not Redis') });
  await store.close();
  server.close();
});

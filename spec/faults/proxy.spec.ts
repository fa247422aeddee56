import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { until } from '../servers/until.js';
import { type Proxy, startProxy } from './proxy.js';
import { randomFrom } from './random.js';

interface Peer {
  readonly socket: Socket;
  /** What came, as text. */
  readonly heard: () => string;
  /** How it ended: 'end', an error's code, or undefined while it is open. */
  readonly ended: () => string | undefined;
}

interface Scene {
  readonly proxy: Proxy;
  /** The server's side of each connection, in order. */
  readonly served: readonly Peer[];
  readonly dial: () => Promise<Peer>;
}

function peer(socket: Socket): Peer {
  let heard = '';
  let ended: string | undefined;
  socket.on('data', (part: Buffer) => (heard += part.toString('latin1')));
  socket.on('end', () => (ended ??= 'end'));
  socket.on('error', (error: NodeJS.ErrnoException) => (ended ??= error.code));
  return { socket, heard: () => heard, ended: () => ended };
}

/** A server that says back what it hears, behind a proxy; all of it is gone after the test. */
async function scene({ echo = true } = {}): Promise<Scene> {
  const served: Peer[] = [];
  const dialled: Peer[] = [];
  const server = createServer({ noDelay: true }, socket => {
    served.push(peer(socket));
    if (echo) socket.on('data', part => socket.write(part));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = startProxy(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(async () => {
    await proxy[Symbol.asyncDispose]();
    for (const each of [...served, ...dialled]) each.socket.destroy();
    server.close();
  });
  return {
    proxy,
    served,
    async dial() {
      const dialling = peer(connect({ port: proxy.port, host: '127.0.0.1', noDelay: true }));
      dialled.push(dialling);
      await once(dialling.socket, 'connect');
      return dialling;
    },
  };
}

/** Sends, and waits for all of it to come back. */
async function exchange(client: Peer, message: string): Promise<void> {
  const whole = client.heard() + message;
  client.socket.write(message);
  await until(`"${message}" to come back`, () => client.heard() === whole, { every: 2 });
}

const ended = (what: Peer): Promise<string> => until('the connection to end', () => what.ended(), { every: 2 });

describe('a healthy proxy', () => {
  test('passes bytes and counts connections, bytes and round trips', async () => {
    const { proxy, dial } = await scene();
    const client = await dial();
    await exchange(client, 'one');
    await exchange(client, 'second');
    expect(proxy.counts).toEqual({ total: 1, open: 1, up: 9, down: 9, roundTrips: 2 });
  });

  test('requests that are sent together are one round trip', async () => {
    const { proxy, dial, served } = await scene({ echo: false });
    const client = await dial();
    client.socket.write('a');
    await until('the first', () => served[0]?.heard() === 'a', { every: 2 });
    client.socket.write('b');
    await until('the second', () => served[0]?.heard() === 'ab', { every: 2 });
    served[0]?.socket.write('both');
    await until('the answer', () => client.heard() === 'both', { every: 2 });
    expect(proxy.counts.roundTrips).toBe(1);
  });

  test('an orderly end passes, with what was sent before it', async () => {
    const { proxy, dial, served } = await scene();
    const client = await dial();
    client.socket.end('bye');
    expect(await ended(client)).toBe('end');
    expect(served[0]?.heard()).toBe('bye');
    expect(client.heard()).toBe('bye');
    await until('the connection to be given up', () => proxy.counts.open === 0, { every: 2 });
  });

  test('many megabytes pass whole, whoever is slow', async () => {
    const { proxy, dial } = await scene();
    const client = await dial();
    const size = 8 * 1024 * 1024;
    client.socket.write(Buffer.alloc(size, 'x'));
    await until('all of it to come back', () => client.heard().length === size);
    expect(proxy.counts).toMatchObject({ up: size, down: size });
  });

  test('a server that is not there is a reset', async () => {
    const nobody = createServer().listen(0, '127.0.0.1');
    await once(nobody, 'listening');
    const { port } = nobody.address() as AddressInfo;
    nobody.close();
    await once(nobody, 'close');
    await using proxy = startProxy(`127.0.0.1:${port}`);
    const client = peer(connect(proxy.port, '127.0.0.1'));
    expect(await ended(client)).toBe('ECONNRESET');
  });
});

describe('cut', () => {
  test('resets what is open, on both sides, and takes new connections', async () => {
    const { proxy, dial, served } = await scene();
    const client = await dial();
    await exchange(client, 'before');
    proxy.cut();
    expect(await ended(client)).toBe('ECONNRESET');
    expect(await until('the server to see it', () => served[0]?.ended())).toBe('ECONNRESET');
    await exchange(await dial(), 'after');
    expect(proxy.counts).toMatchObject({ total: 2, open: 1 });
  });

  test.each(['up', 'down'] as const)('inside a frame: exactly so many bytes pass, %s', async direction => {
    const { proxy, dial, served } = await scene();
    const client = await dial();
    await exchange(client, 'whole');
    const happened = proxy.cutAfter(3, direction);
    client.socket.write('broken');
    // libuv calls a reset that it reads together with data an end.
    expect(['ECONNRESET', 'end']).toContain(await ended(client));
    expect(await happened).toBe(true);
    await until('the last bytes', () => (direction === 'up' ? served[0]?.heard() : client.heard())?.endsWith('bro'));
    await until('both sides to know', () => served[0]?.ended() !== undefined && proxy.counts.open === 0);
    expect(direction === 'up' ? served[0]?.heard() : client.heard()).toBe('wholebro');
  });

  test('after so many bytes happens once: the next connection lives', async () => {
    const { proxy, dial } = await scene();
    const happened = proxy.cutAfter(2, 'up');
    (await dial()).socket.write('abc');
    await happened;
    await exchange(await dial(), 'abcdef');
  });

  test('one that heal comes before says so', async () => {
    const { proxy } = await scene();
    const happened = proxy.cutAfter(1, 'up');
    await proxy.heal();
    expect(await happened).toBe(false);
  });

  test('a second limit in the same direction is refused', async () => {
    const { proxy } = await scene();
    const first = proxy.cutAfter(1, 'up');
    await expect(proxy.truncateAfter(1, 'up')).rejects.toThrow('a connection is to end already, up');
    await proxy.heal();
    await first;
  });

  test('at random: the same seed cuts at the same bytes, until heal', async () => {
    const lifetimes = async (seed: number): Promise<number[]> => {
      const { proxy, dial } = await scene({ echo: false });
      proxy.cutAtRandom(seed, 1000);
      const passed: number[] = [];
      for (let i = 0; i < 4; i++) {
        const before = proxy.counts.up;
        const client = await dial();
        client.socket.write(Buffer.alloc(2000));
        await ended(client);
        passed.push(proxy.counts.up - before);
      }
      await proxy.heal();
      const before = proxy.counts.up;
      (await dial()).socket.write(Buffer.alloc(2000));
      await until('all of it to pass', () => proxy.counts.up - before === 2000);
      return passed;
    };
    const first = await lifetimes(7);
    expect(await lifetimes(7)).toEqual(first);
    expect(await lifetimes(8)).not.toEqual(first);
    expect(new Set(first).size).toBeGreaterThan(1);
  });
});

describe('truncate', () => {
  test('ends in good order, with only so many bytes', async () => {
    const { proxy, dial } = await scene();
    const client = await dial();
    const happened = proxy.truncateAfter(4, 'down');
    client.socket.write('an answer');
    expect(await ended(client)).toBe('end');
    expect(client.heard()).toBe('an a');
    expect(await happened).toBe(true);
    await until('the connection to be given up', () => proxy.counts.open === 0);
  });
});

describe('blackhole', () => {
  test('nothing passes and nothing breaks, and heal delivers what was sent', async () => {
    const { proxy, dial, served } = await scene();
    const client = await dial();
    await exchange(client, 'before ');
    proxy.blackhole();
    client.socket.write('meanwhile');
    const late = await dial();
    late.socket.write('late');
    await settled();
    expect(served.map(each => each.heard())).toEqual(['before ', '']);
    expect(client.ended()).toBeUndefined();
    await proxy.heal();
    await until('what was sent', () => client.heard() === 'before meanwhile' && late.heard() === 'late');
  });

  test('in one direction: the server hears, the client does not', async () => {
    const { proxy, dial, served } = await scene();
    const client = await dial();
    proxy.blackhole('down');
    client.socket.write('question');
    await until('the server to hear it', () => served[0]?.heard() === 'question');
    await settled();
    expect(client.heard()).toBe('');
    await proxy.heal();
    await until('the answer', () => client.heard() === 'question');
  });

  test('the server does not learn that the client went away', async () => {
    const { proxy, dial, served } = await scene();
    const client = await dial();
    await exchange(client, 'x');
    proxy.blackhole();
    client.socket.resetAndDestroy();
    await settled();
    expect(served[0]?.ended()).toBeUndefined();
    await proxy.heal();
    await until('the server to learn it', () => served[0]?.ended());
  });

  test('what is sent into it is not kept without bounds', async () => {
    const { proxy, dial } = await scene();
    const client = await dial();
    proxy.blackhole('up');
    for (let i = 0; i < 64; i++) client.socket.write(Buffer.alloc(1_048_576));
    await settled();
    expect(client.socket.writableLength).toBeGreaterThan(32 * 1_048_576);
  });
});

describe('delay', () => {
  test('each piece is so long on its way, and those behind it do not wait for one another', async () => {
    const { proxy, dial } = await scene();
    const client = await dial();
    await exchange(client, 'x');
    proxy.delay(60, 'up');
    const sent = performance.now();
    for (const piece of ['a', 'b', 'c', 'd']) {
      client.socket.write(piece);
      await settled(4);
    }
    await until('all to come back', () => client.heard() === 'xabcd', { every: 1 });
    const took = performance.now() - sent;
    expect(took).toBeGreaterThanOrEqual(60);
    // One after the other would be 240 ms.
    expect(took).toBeLessThan(200);
  });

  test('order stays when it gets shorter', async () => {
    const { proxy, dial } = await scene();
    const client = await dial();
    proxy.delay(50);
    client.socket.write('first ');
    await until('the proxy to have it', () => proxy.counts.open === 1);
    await settled(4);
    proxy.delay(0);
    client.socket.write('second');
    await until('both', () => client.heard() === 'first second');
  });
});

describe('refuse', () => {
  test('new connections are refused, open ones stay, and heal takes new ones on the same port', async () => {
    const { proxy, dial } = await scene();
    const client = await dial();
    await proxy.refuse();
    const refused = peer(connect(proxy.port, '127.0.0.1'));
    expect(await ended(refused)).toBe('ECONNREFUSED');
    await exchange(client, 'still here');
    await proxy.heal();
    await exchange(await dial(), 'welcome');
    expect(proxy.counts.total).toBe(2);
  });

  test('a port that somebody else has meanwhile is waited for', async () => {
    const { proxy, dial } = await scene();
    await proxy.refuse();
    const other = createServer().listen(proxy.port);
    await once(other, 'listening');
    const healed = proxy.heal();
    // So many tries fail.
    let tries = 0;
    await until('another try', () => ++tries > 5);
    other.close();
    await healed;
    await exchange(await dial(), 'welcome');
  });

  test('healing after its end opens nothing', async () => {
    const { proxy } = await scene();
    await proxy[Symbol.asyncDispose]();
    await proxy.heal();
    expect(await ended(peer(connect(proxy.port, '127.0.0.1')))).toBe('ECONNREFUSED');
  });
});

describe('its end', () => {
  test('leaves no handle, whatever faults were on', async () => {
    const before = await until('earlier tests to be gone', () => !handles().some(each => each.startsWith('TCP')) && handles());
    const server = createServer(socket => peer(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = startProxy(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    const clients = await Promise.all(
      [1, 2, 3].map(async () => {
        const client = peer(connect(proxy.port, '127.0.0.1'));
        await once(client.socket, 'connect');
        client.socket.write('x');
        return client;
      }),
    );
    await until('the connections', () => proxy.counts.open === 3);
    proxy.delay(3_600_000, 'down');
    proxy.blackhole('up');
    const unmet = proxy.cutAfter(1_000_000, 'down');
    await proxy[Symbol.asyncDispose]();
    expect(await unmet).toBe(false);
    expect(proxy.counts.open).toBe(0);
    for (const client of clients) await ended(client);
    server.close();
    // Not the same as before: a timer of the runner may have ended meanwhile.
    await until('no handle to be left', () => {
      const left = beyond(handles(), before);
      if (left.length > 0) throw new Error(`left are ${left.join()}`);
      return true;
    });
  });

  test('twice is once', async () => {
    const { proxy } = await scene();
    await proxy[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });
});

test('random numbers are of the seed, and spread', () => {
  const draw = (seed: number): number[] => Array.from({ length: 1000 }, randomFrom(seed));
  expect(draw(1)).toEqual(draw(1));
  const mean = draw(1).reduce((sum, each) => sum + each, 0) / 1000;
  expect(mean).toBeGreaterThan(0.45);
  expect(mean).toBeLessThan(0.55);
});

/** Sockets, servers and timers that keep this process alive. */
function handles(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter(each => /TCP|Timeout/.test(each))
    .sort();
}

/** Those that are there more often than before. */
function beyond(now: readonly string[], before: readonly string[]): string[] {
  const known = [...before];
  return now.filter(each => {
    const at = known.indexOf(each);
    if (at !== -1) known.splice(at, 1);
    return at === -1;
  });
}

/**
 * Some round trips over a connection of their own, without a proxy: what was on its way on loopback has arrived, if it can.
 * For tests that nothing happens, which have no condition to wait for.
 */
async function settled(trips = 20): Promise<void> {
  const server = createServer(socket => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  for (let i = 0; i < trips; i++) {
    socket.write('x');
    await once(socket, 'data');
  }
  socket.destroy();
  server.close();
}

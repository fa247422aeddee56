import { describe, expect, test } from 'vitest';
import { memory } from '../src/backends/memory/index.js';
import { open } from '../src/open.js';

/** Every scheme there is. */
const known = [
  ...['consul:', 'consuls:', 'etcd:', 'etcds:', 'lmdb:', 'memory:'],
  ...['redis:', 'redis+cluster:', 'redis+sentinel:', 'rediss:', 'rediss+cluster:', 'rediss+sentinel:'],
  ...['zookeeper:', 'zookeepers:'],
];

describe('open', () => {
  test('makes a store of a URL', async () => {
    const store = await open('memory:?root=my-app', { timeout: 1000 });
    expect(store.backend).toBe('memory');
    await store.put('a', 'b');
    await store.close();
  });

  test('does not connect', async () => {
    const store = await open('lmdb:/dev/null/nowhere');
    await expect(store.get('a')).rejects.toMatchObject({ name: 'KvError', backend: 'lmdb' });
    await store.close();
  });

  test.each([
    ['nosuch://h', new RegExp(`unknown scheme "nosuch:" .* known are ${known.join(', ').replaceAll('+', String.raw`\+`)}$`)],
    ['lmbd:./data', /did you mean "lmdb:"\?/],
    ['constructor:x', /unknown scheme/],
    ['data', /is not a store URL/],
    ['lmdb://host/data', /has no host/],
    ['lmdb:', /needs a path/],
    ['lmdb:./data?histroy=5', /did you mean "history"/],
    ['lmdb:./data?history=many', /whole number/],
    ['lmdb:./data?path=other', /path/],
    ['memory:?rot=x', /did you mean "root"/],
    ['memory://h', /memory:/],
  ])('refuses %s', async (url, message) => {
    await expect(open(url)).rejects.toThrow(message);
    await expect(open(url)).rejects.toMatchObject({ code: 'invalid' });
  });

  test('shows no userinfo', async () => {
    await expect(open('nosuch://user:secret@h')).rejects.toThrow(/"nosuch:\/\/h"/);
  });

  test('knows other people’s schemes, and lists them', async () => {
    const schemes = { mine: () => memory() };
    const store = await open('mine:anything', { schemes });
    expect(store.backend).toBe('memory');
    await store.close();
    await expect(open('nosuch:', { schemes })).rejects.toThrow(`known are ${known.join(', ')}, mine:`);
  });

  test('knows a scheme however it is written', async () => {
    const store = await open('Mine:anything', { schemes: { MINE: () => memory() } });
    await store.close();
  });

  test.each([[null], [[]], ['x'], [{ mine: 5 }]])('refuses schemes that are %j', async schemes => {
    await expect(open('mine:x', { schemes } as never)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('scheme'),
    });
    await expect(open('memory:', { schemes } as never)).rejects.toMatchObject({ code: 'invalid' });
  });

  test('refuses options that it does not know', async () => {
    await expect(open('memory:', { timout: 5 } as never)).rejects.toThrow(/did you mean "timeout"/);
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStore, json, KvError, type Store } from 'rxkv';
import { lmdb } from 'rxkv/lmdb';
import { createWorld, memory } from 'rxkv/memory';
import { open } from 'rxkv/open';
import { LiveSettings } from './live-settings';

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 5));
}

describe.each(['memory', 'lmdb'])('LiveSettings on %s', backend => {
  let folder: string;
  let store: Store;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rxkv-jest-'));
    store = createStore(backend === 'lmdb' ? lmdb({ path: folder }) : memory({ world: createWorld() }));
  });

  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('follows what is written', async () => {
    const settings = new LiveSettings(store);
    await store.put('settings/colour', 'blue');
    await until(() => settings.log.length === 1);
    await store.delete('settings/colour');
    await until(() => settings.log.length === 2);
    expect(settings.log).toEqual(['added settings/colour blue', 'deleted settings/colour undefined']);
    await settings.onApplicationShutdown();
    await expect(store.get('settings/colour')).rejects.toMatchObject({ code: 'closed' });
  });

  it('is refused what has changed meanwhile, with an error of ours', async () => {
    const entry = await store.put('settings/colour', json().encode('blue'));
    await store.put('settings/colour', 'red');
    const refusal: unknown = await store.atomicPut('settings/colour', 'green', entry).catch((error: unknown) => error);
    expect(KvError.is(refusal) && refusal.code).toBe('conflict');
  });

  it('locks', async () => {
    const held = await store.withLock('job', async lock => lock.held);
    expect(held).toBe(true);
  });
});

it('opens a URL', async () => {
  const store = await open('memory:');
  expect(store.backend).toBe('memory');
  await store.close();
});

/** Keys with a ttl, on a default agent: in time while their writer lives, and by Consul's own clock when it is dead. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { consul } from '../../../src/backends/consul/index.js';
import { createStore, type Store, text } from '../../../src/index.js';
import { startConsul } from '../../servers/consul.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { startFront } from './front.js';

const quick = { config: { session_ttl_min: '1s' } };
const built = new URL('../../../dist/esm/', import.meta.url);

describeProgram('consul', 'ttl on consul', found => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  function open(host: string, more: Partial<Parameters<typeof consul>[0]> = {}): Store {
    const store = createStore(consul({ hosts: host, root: 'app', ...more }));
    closing.push(() => store.close());
    return store;
  }

  /** Another process that runs this with the built package; what it has printed so far. */
  function program(code: string): {
    readonly pid: number | undefined;
    readonly printed: () => string;
    readonly ended: Promise<number | null>;
  } {
    if (!existsSync(fileURLToPath(new URL('index.js', built)))) throw new Error('the package is not built: npm run build');
    const imports = `import { createStore } from '${built.href}index.js'; import { consul } from '${built.href}backends/consul/index.js';`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', `${imports} ${code}`], { stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (printed += part));
    closing.push(async () => void child.kill('SIGKILL'));
    const ended = new Promise<number | null>(resolve => {
      child.once('exit', resolve);
    });
    return { pid: child.pid, printed: () => printed, ended };
  }

  test('a ttl of 2 s is 2 s while its writer lives, and within ttlLag when it was killed', async () => {
    await using server = await startConsul(found);
    const store = open(server.host);
    const dying = program(
      `const store = createStore(consul({ hosts: '${server.host}', root: 'app' })); await store.put('dead', 'x', { ttl: 2000 }); console.log('written'); setInterval(() => {}, 1000);`,
    );
    await until('the other process to have written', () => dying.printed().includes('written'));
    const written = performance.now();
    process.kill(dying.pid as number, 'SIGKILL');
    await dying.ended;
    const asked = performance.now();
    await store.put('alive', 'x', { ttl: 2000 });
    await until('the key of the living to go', async () => !(await store.exists('alive')), { every: 5 });
    const lived = performance.now() - asked;
    expect(lived).toBeGreaterThanOrEqual(1995);
    expect(lived).toBeLessThan(3000);
    expect(await store.exists('dead')).toBe(true);
    await until('the key of the dead to go', async () => !(await store.exists('dead')), { within: 30_000 });
    const left = performance.now() - written;
    expect(left).toBeGreaterThanOrEqual(2000);
    expect(left).toBeLessThan(2000 + store.capabilities.ttlLag + 1000);
  }, 60_000);

  test('a process with keys that have a ttl, and nothing else to do, ends by itself', async () => {
    await using server = await startConsul(found);
    const idle = program(
      `const store = createStore(consul({ hosts: '${server.host}' })); await store.put('k', 'x', { ttl: 3600000 }); await store.get('k'); console.log('done');`,
    );
    const closed = program(
      `const store = createStore(consul({ hosts: '${server.host}' })); store.watchTree$('').subscribe(); await store.lock('k'); await store.put('k', 'x'); console.log('done'); await store.close();`,
    );
    for (const { printed, ended } of [idle, closed]) {
      await until('it to be done', () => printed().includes('done'));
      const done = performance.now();
      expect(await ended).toBe(0);
      expect(performance.now() - done).toBeLessThan(3000);
    }
  }, 60_000);

  test('guarantee 12: a process whose agent hangs ends by itself after close(), whatever it held and waited for', async () => {
    await using server = await startConsul(found);
    const { printed, ended } = program(
      `const store = createStore(consul({ hosts: '${server.host}' }), { timeout: 1500 });
      const contend = () => store.lock$('k').subscribe({ error: () => undefined });
      await store.lock('k'); contend(); contend();
      store.keepAlive$('alive', 'x', { ttl: 10000 }).subscribe({ error: () => undefined });
      await store.put('k', 'x', { ttl: 60000 }); console.log('live');
      while (await store.get('k').then(() => true, () => false));
      for (let i = 0; i < 5; i++) store.put('k', String(i), { ttl: 60000 }).catch(() => undefined);
      await store.close(); console.log('closed');`,
    );
    await until('it to be live', () => printed().includes('live'));
    server.pause();
    try {
      await until('it to be closed', () => printed().includes('closed'));
      const closed = performance.now();
      expect(await ended).toBe(0);
      expect(performance.now() - closed).toBeLessThan(1000);
    } finally {
      server.resume();
    }
  }, 60_000);

  test('pitfall 11: a put without ttl by another process makes a key permanent, though its session ends', async () => {
    await using server = await startConsul(found, quick);
    const [first, second] = [open(server.host, { sessionTtlMin: 1000 }), open(server.host, { sessionTtlMin: 1000 })];
    await first.put('k', 'leased', { ttl: 1000 });
    await first.put('measure', 'leased', { ttl: 1000 });
    const entry = await second.put('k', 'permanent');
    expect(entry.leased).toBe(false);
    expect(await second.get('k')).toEqual(entry);
    await until('the other to go', async () => !(await second.exists('measure')));
    await until('all sessions to end', async () => (await server.call('session/list')).body.trim() === '[]');
    expect(await second.get('k')).toEqual(entry);
  }, 60_000);

  test('a session that ends between a put and the taking off of it does not take the put with it', async () => {
    await using server = await startConsul(found);
    await using front = await startFront(server.host);
    const [first, second] = [open(server.host), open(front.host)];
    await first.put('k', 'leased', { ttl: 3_600_000 });
    front.decide = ({ body }) => {
      if (!body.includes('check-index')) return undefined;
      front.decide = () => undefined;
      return { after: endAll() };
    };
    const endAll = async (): Promise<void> => {
      const { body } = await server.call('session/list');
      for (const { ID } of JSON.parse(body) as { ID: string }[]) await server.call(`session/destroy/${ID}`, { method: 'PUT' });
    };
    const entry = await second.put('k', 'permanent');
    expect(text(await first.get('k'))).toBe('permanent');
    expect(await first.get('k')).toEqual(entry);
  }, 60_000);

  test('a put whose ttl could not be taken off says that it was written all the same', async () => {
    await using server = await startConsul(found);
    await using front = await startFront(server.host);
    const [first, second] = [open(server.host), open(front.host)];
    await first.put('k', 'leased', { ttl: 3_600_000 });
    await second.get('k');
    front.decide = ({ body }) => (body.includes('check-index') ? { answer: { status: 403, body: 'Permission denied' } } : undefined);
    // The first goes at once, the others together.
    const [, other, put] = ['first', 'other', 'k'].map(async key => second.put(key, 'permanent'));
    await expect(put).rejects.toMatchObject({
      code: 'denied',
      outcome: 'unknown',
      message: expect.stringContaining('it was written, and may still end with the ttl that it had: '),
    });
    expect(await other).toMatchObject({ key: 'other', leased: false });
    expect(await first.get('k')).toMatchObject({ leased: true });
    expect(text(await first.get('k'))).toBe('permanent');
  }, 60_000);

  test('what is overwritten or deleted leaves no session behind, and neither does a refused compare-and-set', async () => {
    await using server = await startConsul(found);
    const store = open(server.host);
    for (let i = 0; i < 5; i++) await store.put('again', String(i), { ttl: 3_600_000 });
    await store.put('deleted', 'x', { ttl: 3_600_000 });
    await store.delete('deleted');
    await expect(store.atomicPut('again', 'x', undefined, { ttl: 3_600_000 })).rejects.toMatchObject({ code: 'conflict' });
    await until('one session to be left', async () => (JSON.parse((await server.call('session/list')).body) as unknown[]).length === 1);
  }, 60_000);

  test('a put with a ttl takes a second round trip, and so does one that takes a ttl off', async () => {
    await using server = await startConsul(found);
    await using front = await startFront(server.host);
    const store = open(front.host);
    // The end of a session that is no longer used is nobody's to wait for.
    const cost = async (call: () => Promise<unknown>): Promise<string[]> => {
      const before = front.seen.length;
      await call();
      const asked = front.seen.slice(before).filter(({ path }) => !path.startsWith('/session/destroy'));
      return asked.map(({ path }) => path.replace(/^\/([a-z]+).*$/, '$1'));
    };
    expect(await cost(() => store.put('k', '1'))).toEqual(['txn']);
    expect(await cost(() => store.put('k', '2', { ttl: 3_600_000 }))).toEqual(['session', 'txn']);
    expect(await cost(() => store.put('k', '3'))).toEqual(['txn', 'txn']);
    expect(await cost(() => store.put('k', '4', { ttl: 'keep' }))).toEqual(['txn']);
  }, 60_000);
});

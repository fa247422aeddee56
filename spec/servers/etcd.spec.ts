import { describe, expect, test } from 'vitest';
import { ask } from './ask.js';
import { type Etcd, base64, etcdUsers, startEtcd, startEtcdCluster } from './etcd.js';
import { lifecycle } from './lifecycle.js';
import { run } from './run.js';
import { describeProgram } from './suite.js';

async function write(etcd: Etcd, key: string, value: string, token?: string): Promise<void> {
  const { status, body } = await etcd.call('kv/put', { key: base64(key), value: base64(value) }, token);
  if (status !== 200) throw new Error(body);
}

async function read(etcd: Etcd, key: string, token?: string): Promise<string | undefined> {
  const { status, body } = await etcd.call('kv/range', { key: base64(key) }, token);
  if (status !== 200) throw new Error(body);
  const { kvs } = JSON.parse(body) as { kvs?: { value: string }[] };
  return kvs?.[0] && Buffer.from(kvs[0].value, 'base64').toString();
}

for (const name of ['etcd', 'etcd34'] as const) {
  describeProgram(name, name, program => {
    describe('one server', () => {
      lifecycle({ start: () => startEtcd(program), write, read });
    });

    test('with TLS and users refuses who has no certificate, no password or no permission', async () => {
      await using etcd = await startEtcd(program, { tls: true, auth: true });
      const { certificates } = etcd;
      if (certificates === undefined) throw new Error('no certificates');
      await expect(ask(`http://${etcd.host}/health`)).rejects.toThrow();
      await expect(ask(`${etcd.url}/health`)).rejects.toThrow(/certificate/);
      await expect(ask(`${etcd.url}/health`, { certificates: { ca: certificates.ca } })).rejects.toThrow();

      await expect(etcd.login({ ...etcdUsers.root, password: 'wrong' })).rejects.toThrow('refused root');
      await expect(read(etcd, 'limited/a')).rejects.toThrow(/user name is empty|permission denied/);
      const [root, limited] = [await etcd.login(etcdUsers.root), await etcd.login(etcdUsers.limited)];
      await write(etcd, 'limited/a', 'value', limited);
      expect(await read(etcd, 'limited/a', root)).toBe('value');
      await expect(write(etcd, 'other', 'value', limited)).rejects.toThrow('permission denied');
      await write(etcd, 'other', 'value', root);
    });

    test('three members elect another leader when theirs is killed, and take it back', async () => {
      await using cluster = await startEtcdCluster(program);
      const first = await cluster.elected();
      await write(first, 'k', 'value');
      await first.kill();
      const second = await cluster.elected(first);
      expect(await read(second, 'k')).toBe('value');
      await first.start();
      expect(await read(first, 'k')).toBe('value');
    });

    test('etcdctl comes with it', async () => {
      await using etcd = await startEtcd(program);
      await write(etcd, 'k', 'value');
      const env = { ...process.env, ...program.env, ETCDCTL_API: '3' };
      const got = await run(program.tools.etcdctl ?? '', ['--endpoints', etcd.url, 'get', 'k'], { env });
      expect(got.stdout).toBe('k\nvalue\n');
    });
  });
}

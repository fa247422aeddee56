import { describe, expect, test } from 'vitest';
import { dial } from './dial.js';
import { lifecycle } from './lifecycle.js';
import { describeProgram } from './suite.js';
import { type ZooKeeper, startZooKeeper, startZooKeeperEnsemble, zooKeeperUsers } from './zookeeper.js';
import { authRequired, fourLetters, noAuth } from './zookeeper-wire.js';

async function write(zookeeper: ZooKeeper, key: string, value: string): Promise<void> {
  await using session = await zookeeper.session();
  await session.create(`/${key}`, value);
}

async function read(zookeeper: ZooKeeper, key: string): Promise<string | undefined> {
  await using session = await zookeeper.session();
  return await session.get(`/${key}`);
}

describeProgram('zookeeper', 'ZooKeeper', program => {
  describe('one server', () => {
    lifecycle({ start: () => startZooKeeper(program), write, read });
  });

  test('a node of an authenticated session is closed to others', async () => {
    await using zookeeper = await startZooKeeper(program);
    await using owner = await zookeeper.session();
    await owner.authenticate(zooKeeperUsers.owner.username, zooKeeperUsers.owner.password);
    await owner.create('/own', 'value', 'auth');
    expect(await owner.get('/own')).toBe('value');
    await using other = await zookeeper.session();
    await expect(other.get('/own')).rejects.toMatchObject({ code: noAuth });
    await other.authenticate(zooKeeperUsers.other.username, zooKeeperUsers.other.password);
    await expect(other.get('/own')).rejects.toMatchObject({ code: noAuth });
  });

  test('with TLS and required authentication refuses who has neither', async () => {
    await using zookeeper = await startZooKeeper(program, { tls: true, auth: true });
    const { certificates, host } = zookeeper;
    if (certificates === undefined) throw new Error('no certificates');
    expect(await fourLetters('ruok', { host }).catch(() => '')).not.toContain('imok');
    await expect(dial({ host, certificates: { ca: certificates.client.cert } })).rejects.toThrow();
    expect(await fourLetters('ruok', { host, certificates: { ca: certificates.ca } }).catch(() => '')).not.toContain('imok');
    expect(await zookeeper.fourLetters('ruok')).toBe('imok');

    await using session = await zookeeper.session();
    await expect(session.create('/a', 'value')).rejects.toMatchObject({ code: authRequired });
    await using authenticated = await zookeeper.session();
    await authenticated.authenticate(zooKeeperUsers.owner.username, zooKeeperUsers.owner.password);
    await authenticated.create('/a', 'value');
    expect(await authenticated.get('/a')).toBe('value');
  });

  test('an ensemble elects another leader when its own is killed, and takes it back', async () => {
    await using ensemble = await startZooKeeperEnsemble(program);
    const first = await ensemble.elected();
    await write(first, 'k', 'value');
    await first.kill();
    const second = await ensemble.elected(first);
    expect(await read(second, 'k')).toBe('value');
    await first.start();
    expect(await read(first, 'k')).toBe('value');
  });
});

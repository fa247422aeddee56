import { describe, expect, test } from 'vitest';
import { ask } from './ask.js';
import { type Consul, startConsul, startConsulCluster } from './consul.js';
import { lifecycle } from './lifecycle.js';
import { describeProgram } from './suite.js';

async function write(consul: Consul, key: string, value: string, token?: string): Promise<void> {
  const { status, body } = await consul.call(`kv/${key}`, { method: 'PUT', body: value, ...(token === undefined ? {} : { token }) });
  if (status !== 200) throw new Error(body);
}

async function read(consul: Consul, key: string, consistency = ''): Promise<string | undefined> {
  const { status, body } = await consul.call(`kv/${key}?raw${consistency}`);
  if (status === 404) return undefined;
  if (status !== 200) throw new Error(body);
  return body;
}

describeProgram('consul', 'Consul', program => {
  describe('one server', () => {
    lifecycle({ start: () => startConsul(program), write, read });
  });

  test('knows its node when it has started, so that sessions can be made', async () => {
    await using consul = await startConsul(program);
    expect(await consul.call('session/create', { method: 'PUT', body: '{"TTL":"10s"}' })).toMatchObject({ status: 200 });
  });

  test('with TLS and ACLs refuses who has no certificate, no token or no permission', async () => {
    await using consul = await startConsul(program, { tls: true, auth: true });
    const { certificates, tokens } = consul;
    if (certificates === undefined || tokens === undefined) throw new Error('neither certificates nor tokens');
    expect(await ask(`http://${consul.host}/v1/status/leader`)).toMatchObject({ status: 400 });
    await expect(ask(`${consul.url}/v1/status/leader`)).rejects.toThrow(/certificate/);
    await expect(ask(`${consul.url}/v1/status/leader`, { certificates: { ca: certificates.ca } })).rejects.toThrow();

    await expect(read(consul, 'limited/a')).rejects.toThrow('Permission denied');
    await expect(write(consul, 'limited/a', 'value', 'no-such-token')).rejects.toThrow('ACL not found');
    await write(consul, 'limited/a', 'value', tokens.limited);
    await expect(write(consul, 'other', 'value', tokens.limited)).rejects.toThrow('Permission denied');
    await write(consul, 'other', 'value', tokens.management);
  });

  test('three members elect another leader when theirs is killed, and take it back', async () => {
    await using cluster = await startConsulCluster(program);
    const first = await cluster.elected();
    await write(first, 'k', 'value');
    await first.kill();
    const second = await cluster.elected(first);
    // A leader may answer before it has carried out what was decided before its election, unless it is asked to make sure.
    expect(await read(second, 'k', '&consistent')).toBe('value');
    await first.start();
    expect(await read(first, 'k', '&consistent')).toBe('value');
  });
});

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:net';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { foreign } from './foreign.js';
import { isAlive } from './lifecycle.js';
import { freePorts } from './ports.js';
import { run } from './run.js';
import { launch } from './server.js';
import { describeProgram } from './suite.js';
import { until } from './until.js';

const script = fileURLToPath(new URL('../../scripts/servers.mjs', import.meta.url));

const leftFolders = async (name: string): Promise<string[]> => (await readdir(tmpdir())).filter(each => each.startsWith(`rxkv-${name}`));

describe('a server that does not start', () => {
  test('is told with the end of its log, and leaves neither process nor folder', async () => {
    const failed = launch({
      name: 'stillborn',
      port: 1,
      command: 'sh',
      args: ['-c', 'echo what is wrong; exit 3'],
      ready: async () => false,
    });
    await expect(failed).rejects.toThrow(/stillborn did not start: stillborn does not run\n[^]*what is wrong\n--- ended: code 3/);
    expect(await leftFolders('stillborn')).toEqual([]);
  });

  test('because there is no such program says so', async () => {
    const failed = launch({ name: 'nothing', port: 1, command: '/nowhere/program', args: [], ready: async () => false });
    await expect(failed).rejects.toThrow('ENOENT');
  });

  test('because it never answers is killed when patience is over', async () => {
    let pid: number | undefined;
    const failed = launch({
      name: 'mute',
      port: 1,
      command: 'sh',
      args: ['-c', 'echo pid $$; exec sleep 600'],
      ready: async () => false,
      patience: 300,
    });
    const message = await failed.then(
      () => '',
      (error: unknown) => String(error),
    );
    pid = Number(/pid (\d+)/.exec(message)?.[1]);
    expect(message).toContain('waited 300 ms for mute on port 1 to answer');
    expect(isAlive(pid)).toBe(false);
  });
});

test('stop kills what does not heed SIGTERM', async () => {
  await using deaf = await launch({
    name: 'deaf',
    port: 1,
    command: 'sh',
    args: ['-c', "trap '' TERM; echo here; while :; do sleep 1; done"],
    ready: async () => true,
  });
  await until('it to have its trap', () => deaf.log().includes('here'));
  const { pid } = deaf;
  await deaf.stop();
  expect(isAlive(pid)).toBe(false);
  expect(deaf.log()).toContain('ended: SIGKILL');
}, 20_000);

test('a server that the environment names is used as it is', async () => {
  const server = foreign({ kind: 'address', name: 'etcd', url: 'http://10.0.0.1:1234', why: '' }, 2379);
  expect(server).toMatchObject({ host: '10.0.0.1:1234', owned: false, pid: undefined });
  await expect(server.kill()).rejects.toThrow('not ours to kill');
  expect(() => server.pause()).toThrow('not ours to pause');
  await server[Symbol.asyncDispose]();
  expect(foreign({ kind: 'address', name: 'etcd', url: 'http://h', why: '' }, 2379).host).toBe('h:2379');
  expect(() => foreign({ kind: 'address', name: 'etcd', url: 'nonsense', why: '' }, 2379)).toThrow('scheme://host:port');
});

test('free ports are different and can be listened on', async () => {
  const ports = await freePorts(50);
  expect(new Set(ports).size).toBe(50);
});

// Redis is the quickest to start; the others are ended in the same way.
describeProgram('redis', 'a run that is interrupted', program => {
  test.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)('by %s leaves no process and no folder', async signal => {
    // Other tests start servers of the kind meanwhile.
    const folder = await mkdtemp(join(tmpdir(), 'rxkv-interrupted-'));
    onTestFinished(async () => rm(folder, { recursive: true, force: true }));
    const child = spawn(process.execPath, [script, 'redis'], {
      env: { ...process.env, RXKV_TEST_REDIS_BIN: program.command, ...program.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
    const [, port, pid] = await until(
      'the server to be named',
      () => /redis:\/\/127\.0\.0\.1:(\d+) {2}# pid (\d+);/.exec(printed) ?? false,
    );
    expect(isAlive(Number(pid))).toBe(true);
    const gone = new Promise(resolve => child.once('exit', (code, by) => resolve(by ?? code)));
    child.kill(signal);
    // Whoever asks politely is answered with an orderly end.
    expect(await gone).toBe(signal === 'SIGKILL' ? 'SIGKILL' : 0);
    await until('the server to be gone', () => !isAlive(Number(pid)));
    await until('its folder to be gone', async () => (await readdir(folder)).length === 0);
    await expect(connected(Number(port))).rejects.toThrow('ECONNREFUSED');
  });

  test('leaves no guardian once all is over', async () => {
    const server = await launch({ name: 'guarded', port: 1, command: 'sleep', args: ['600'], ready: async () => true });
    await server[Symbol.asyncDispose]();
    const { stdout } = await run('ps', ['-eo', 'args']);
    expect(stdout.split('\n').filter(line => line.includes('rxkv-guarded'))).toEqual([]);
  });
});

function connected(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}

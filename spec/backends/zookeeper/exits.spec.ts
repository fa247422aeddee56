/** Exits: a program ends by itself once it has closed its store, or has left it idle, whatever state the connection is in. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startProxy } from '../../faults/proxy.js';
import { describeProgram } from '../../servers/suite.js';
import { until } from '../../servers/until.js';
import { startZooKeeper, type ZooKeeper } from '../../servers/zookeeper.js';

describeProgram('zookeeper', 'exits', found => {
  let server: ZooKeeper;
  const children: ChildProcess[] = [];
  beforeAll(async () => {
    if (!existsSync(new URL('../../../dist/esm/index.js', import.meta.url)))
      throw new Error('dist/ is missing, and child processes run it: npm run build');
    server = await startZooKeeper(found, { tickTime: 500 });
  });
  afterAll(() => server[Symbol.asyncDispose]());
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  function start(way: string, hosts: string): { child: ChildProcess; said: string[]; exit: Promise<number | null> } {
    const script = fileURLToPath(new URL('exits.mjs', import.meta.url));
    const child = spawn(process.execPath, [script, JSON.stringify({ hosts, way })], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    const said: string[] = [];
    child.stdout.on('data', (piece: Buffer) => said.push(...piece.toString().trim().split('\n')));
    return { child, said, exit: new Promise(resolve => child.once('exit', code => resolve(code))) };
  }

  /** ms from what it said last to its exit. */
  async function exits({ said, exit }: ReturnType<typeof start>): Promise<number> {
    await until('it to be done', () => said.includes('{"done":true}'));
    const began = performance.now();
    expect(await exit).toBe(0);
    return performance.now() - began;
  }

  test.each(['never used', 'in the same tick', 'idle', 'idle, its lock released'])('a store %s keeps no process alive', async way => {
    expect(await exits(start(way, server.host))).toBeLessThan(2000);
  });

  test.each(['cut', 'hang'] as const)('close() lets the process go after a %s', async fault => {
    await using proxy = startProxy(server.host);
    const program = start('while the server is down', proxy.host);
    await until('it to be ready', () => program.said.includes('{"ready":true}'));
    if (fault === 'hang') proxy.blackhole();
    else {
      await proxy.refuse();
      proxy.cut();
    }
    program.child.stdin?.write('go\n');
    expect(await exits(program)).toBeLessThan(2000);
  });

  test('a live watch keeps it alive, also through a cut', async () => {
    await using proxy = startProxy(server.host);
    const program = start('watching', proxy.host);
    await until('the current state', () => program.said.includes('{"ready":true}'));
    let ended = false;
    void program.exit.then(() => (ended = true));
    await proxy.refuse();
    proxy.cut();
    const began = performance.now();
    await until('half a second', () => performance.now() - began > 500);
    await proxy.heal();
    await until('another half', () => performance.now() - began > 1000);
    expect(ended).toBe(false);
  });
});

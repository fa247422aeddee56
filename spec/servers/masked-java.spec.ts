/**
 * ZooKeeper on a machine without Java: in a run of the full matrix, with the machine's own Java taken off PATH, a headless one is
 * unpacked (or of the cache) and runs the server, with TLS.
 */
import { mkdtemp, readdir, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { provision } from './provision.js';
import { run } from './run.js';
import { filesBelow } from './tree.js';
import { serversRequired } from './verdict.js';
import { startZooKeeper } from './zookeeper.js';

test.runIf(process.env.RXKV_SERVER_MATRIX === 'full')(
  'an unpacked Java runs ZooKeeper where the machine has none',
  async context => {
    const { JAVA_HOME: _, RXKV_TEST_JAVA_BIN: __, RXKV_TEST_ZOOKEEPER_URL: ___, ...rest } = process.env;
    const env = { ...rest, PATH: await pathWithout('java') };
    expect(await run('java', ['-version'], { env })).toMatchObject({ code: -1 });
    const cache = fileURLToPath(new URL('../../.cache/servers', import.meta.url));
    const { java, zookeeper } = await provision(['java', 'zookeeper'], { env, cache });
    if (java.kind !== 'program' || zookeeper.kind !== 'program') {
      expect(serversRequired(process.env), `${java.why}; ${zookeeper.why}`).toBe(false);
      return context.skip(`${java.why}; ${zookeeper.why}`);
    }
    expect(java.command.startsWith(cache)).toBe(true);
    expect(zookeeper.command).toBe(java.command);
    // Not one setting is read from the machine's own Java, if it has one.
    const settings = await run(java.command, [...java.args, '-XshowSettings:properties', '-version'], { env });
    expect(/java\.home = (.*)/.exec(settings.stderr)?.[1]).toBe(await realpath(join(java.command, '../..')));
    expect((await filesBelow(join(java.command, '../..'))).links.length).toBeGreaterThan(0);

    await using server = await startZooKeeper(zookeeper, { tls: true });
    await using session = await server.session();
    await session.create('/a', 'value');
    expect(await session.get('/a')).toBe('value');
  },
  180_000,
);

/** A folder with links to every command of PATH but one. */
async function pathWithout(command: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rxkv-path-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const each of (process.env.PATH ?? '').split(':')) {
    for (const name of await readdir(each).catch(() => [])) {
      if (name !== command) await symlink(join(each, name), join(folder, name)).catch(() => undefined);
    }
  }
  return folder;
}

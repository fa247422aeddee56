import { chmod, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Packages } from './catalogue.js';
import type { Mirror } from './debian.js';
import { createMirror } from './debian.js';
import type { Found } from './found.js';
import { provision } from './provision.js';
import { verdict } from './verdict.js';

/** A machine of our own making: a PATH, a cache and a mirror, in a folder that goes after the test. */
interface Machine {
  readonly folder: string;
  readonly path: string;
  readonly cache: string;
  /** Writes a program that says its version, and answers its path. */
  program(folder: string, name: string, says: string): Promise<string>;
  /** A mirror whose packages hold these programs; counts how often it was asked. */
  mirror(programs: Readonly<Record<string, string>>): Mirror & { readonly asked: Packages[] };
  find(env?: Record<string, string>, mirror?: Mirror | false): Promise<Found>;
}

let machine: Machine;

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rxkv-provision-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'path');
  const cache = join(folder, 'cache');
  await mkdir(path);
  const program = async (where: string, name: string, says: string): Promise<string> => {
    await mkdir(where, { recursive: true });
    await writeFile(join(where, name), `#!/bin/sh\necho '${says}'\n`);
    await chmod(join(where, name), 0o755);
    return join(where, name);
  };
  machine = {
    folder,
    path,
    cache,
    program,
    mirror(programs) {
      const asked: Packages[] = [];
      return {
        asked,
        async unpack(wanted, into) {
          asked.push(wanted);
          for (const [name, says] of Object.entries(programs)) await program(join(into, 'usr/bin'), name, says);
          return { 'some.deb': 'sum' };
        },
        close: async () => undefined,
      };
    },
    // A shell is all that the programs need.
    find: async (env = {}, mirror = false) => (await provision(['etcd'], { env: { PATH: `${path}:/bin`, ...env }, cache, mirror })).etcd,
  };
});

describe('the order in which places are asked', () => {
  test('an address from the environment comes before everything, and nothing is looked for', async () => {
    await machine.program(machine.path, 'etcd', 'etcd Version: 3.5.1');
    expect(await machine.find({ RXKV_TEST_ETCD_URL: 'http://10.0.0.1:2379', RXKV_TEST_ETCD_BIN: '/nowhere' })).toMatchObject({
      kind: 'address',
      url: 'http://10.0.0.1:2379',
    });
  });

  test('a program from the environment comes before PATH', async () => {
    await machine.program(machine.path, 'etcd', 'etcd Version: 3.5.1');
    await machine.program(machine.path, 'etcdctl', '');
    const command = await machine.program(join(machine.folder, 'own'), 'my-etcd', 'etcd Version: 3.5.9');
    expect(await machine.find({ RXKV_TEST_ETCD_BIN: command })).toMatchObject({
      kind: 'program',
      source: 'environment',
      version: '3.5.9',
      command,
      tools: { etcdctl: join(machine.path, 'etcdctl') },
    });
  });

  test.each([
    ['is not there', undefined],
    ['is too old', 'etcd Version: 3.3.0'],
    ['says no version', 'hello'],
  ])('a program from the environment that %s is an error, not passed over', async (_, says) => {
    await machine.program(machine.path, 'etcd', 'etcd Version: 3.5.1');
    await machine.program(machine.path, 'etcdctl', '');
    const command = says === undefined ? '/nowhere/etcd' : await machine.program(join(machine.folder, 'own'), 'etcd', says);
    await expect(machine.find({ RXKV_TEST_ETCD_BIN: command })).rejects.toThrow('from RXKV_TEST_ETCD_BIN');
  });

  test('PATH comes before the cache, and the mirror is not asked', async () => {
    const mirror = machine.mirror({ etcd: 'etcd Version: 3.5.2', etcdctl: '' });
    await machine.find({}, mirror);
    const command = await machine.program(machine.path, 'etcd', 'etcd Version: 3.5.1');
    await machine.program(machine.path, 'etcdctl', '');
    expect(await machine.find({}, mirror)).toMatchObject({ source: 'path', version: '3.5.1', command });
    expect(mirror.asked).toHaveLength(1);
  });

  test.each([
    ['of a line that we do not want', 'etcd Version: 3.4.23', true, 'is 3.4.23, and 3.5 or later is wanted'],
    ['without its tools', 'etcd Version: 3.5.1', false, 'is 3.5.1 and has no etcdctl'],
  ])('a program on PATH %s is passed over, and the reason is told', async (_, says, tool, reason) => {
    await machine.program(machine.path, 'etcd', says);
    if (tool) await machine.program(machine.path, 'etcdctl', '');
    expect(await machine.find({}, machine.mirror({ etcd: 'etcd Version: 3.5.2', etcdctl: '' }))).toMatchObject({ source: 'unpacked' });
    await rm(machine.cache, { recursive: true });
    const missing = await machine.find();
    expect(missing.kind).toBe('missing');
    expect(missing.why).toContain(reason);
  });

  test('the mirror is asked last, for the packages of the right suite, and only once: then the cache has it', async () => {
    const mirror = machine.mirror({ etcd: 'etcd Version: 3.5.2', etcdctl: '' });
    expect(await machine.find({}, mirror)).toMatchObject({ source: 'unpacked', version: '3.5.2' });
    expect(await machine.find({}, mirror)).toMatchObject({ source: 'cache', version: '3.5.2' });
    expect(mirror.asked).toMatchObject([{ suite: 'trixie', packages: ['etcd-server', 'etcd-client'] }]);
  });

  test('looking only fetches nothing, and says what would be', async () => {
    const missing = await machine.find();
    expect(missing.kind).toBe('missing');
    expect(missing.why).toContain("would be unpacked from the machine's Debian mirror, trixie");
  });

  test('ZooKeeper needs a Java, and says so', async () => {
    const lib = join(machine.folder, 'apache/lib');
    await machine.program(lib, 'zookeeper-3.8.4.jar', '');
    const script = await machine.program(join(machine.folder, 'apache/bin'), 'zkServer.sh', '');
    const find = (env: Record<string, string>): Promise<{ zookeeper: Found }> =>
      provision(['zookeeper'], { env: { PATH: '/nowhere', RXKV_TEST_ZOOKEEPER_BIN: script, ...env }, cache: machine.cache, mirror: false });
    await expect(find({})).rejects.toThrow('it needs a Java runtime');
    const java = await machine.program(join(machine.folder, 'jdk/bin'), 'java', 'openjdk version "21" 2023-09-19');
    const { zookeeper } = await find({ JAVA_HOME: join(machine.folder, 'jdk'), PATH: '/bin' });
    expect(zookeeper).toMatchObject({ version: '3.8.4', command: java, args: ['-cp', join(lib, '*')] });
  });
});

describe('the cache', () => {
  const unpackOnce = async (): Promise<{ mirror: Mirror & { asked: Packages[] }; root: string }> => {
    const mirror = machine.mirror({ etcd: 'etcd Version: 3.5.2', etcdctl: '' });
    await machine.find({}, mirror);
    return { mirror, root: join(machine.cache, `etcd-trixie-${process.arch}`, 'root') };
  };

  test.each([
    ['changed', (file: string) => writeFile(file, '#!/bin/sh\necho etcd Version: 3.5.66\n')],
    ['removed', (file: string) => rm(file)],
    [
      'replaced by a link',
      async (file: string) => {
        await rm(file);
        await symlink('/bin/true', file);
      },
    ],
  ])('a file that was %s is not used: it is unpacked anew', async (_, spoil) => {
    const { mirror, root } = await unpackOnce();
    await spoil(join(root, 'usr/bin/etcd'));
    expect((await machine.find()).why).toContain('the cache has a changed usr/bin/etcd');
    expect(await machine.find({}, mirror)).toMatchObject({ source: 'unpacked', version: '3.5.2' });
    expect(await machine.find({}, mirror)).toMatchObject({ source: 'cache', version: '3.5.2' });
  });

  test('an unpacking that fails leaves nothing that looks whole, and its reason is told', async () => {
    const mirror: Mirror = {
      async unpack(_, into) {
        await machine.program(join(into, 'usr/bin'), 'etcd', 'etcd Version: 3.5.2');
        throw new Error('the line was cut');
      },
      close: async () => undefined,
    };
    const missing = await machine.find({}, mirror);
    expect(missing.kind).toBe('missing');
    expect(missing.why).toContain('the line was cut');
    expect((await machine.find()).why).toContain('not in the cache');
    expect(await readdir(machine.cache)).toEqual([]);
  });

  test('two that unpack at once both have a whole one', async () => {
    const mirror = machine.mirror({ etcd: 'etcd Version: 3.5.2', etcdctl: '' });
    const both = await Promise.all([machine.find({}, mirror), machine.find({}, mirror)]);
    expect(both).toMatchObject([{ version: '3.5.2' }, { version: '3.5.2' }]);
    expect(await machine.find()).toMatchObject({ source: 'cache' });
    expect(await readdir(machine.cache)).toEqual([`etcd-trixie-${process.arch}`]);
  });

  test('the sums of the packages are kept with those of the files', async () => {
    const { root } = await unpackOnce();
    const manifest = JSON.parse(await readFile(join(root, '../manifest.json'), 'utf8')) as { packages: object; files: object };
    expect(manifest.packages).toEqual({ 'some.deb': 'sum' });
    expect(Object.keys(manifest.files)).toEqual(['usr/bin/etcd', 'usr/bin/etcdctl']);
  });
});

describe('the mirror', () => {
  const wanted: Packages = { suite: 'trixie', packages: ['one'], keep: ['usr/bin', 'etc'] };

  /** An apt and a dpkg-deb that do what the real ones would with our arguments, as far as we look. */
  async function fakeApt({ targets, update = 'exit 0' }: { targets: string; update?: string }): Promise<NodeJS.ProcessEnv> {
    const apt = `#!/bin/sh
case "$*" in
  indextargets*) printf '%s\\n' '${targets}' ;;
  *update*) ${update} ;;
  *download*) echo package > one_1_all.deb ;;
esac
`;
    const dpkg = `#!/bin/sh
mkdir -p "$3/usr/bin" "$3/usr/share/doc" "$3/etc/one"
echo hello > "$3/etc/one/settings"
ln -s /etc/one/settings "$3/usr/bin/settings"
ln -s /etc/ssl/certs/java/cacerts "$3/usr/bin/cacerts"
ln -s settings "$3/usr/bin/relative"
`;
    for (const [name, text] of Object.entries({ 'apt-get': apt, 'dpkg-deb': dpkg })) {
      await writeFile(join(machine.path, name), text);
      await chmod(join(machine.path, name), 0o755);
    }
    return { PATH: `${machine.path}:/bin:/usr/bin` };
  }

  const unpack = async (env: NodeJS.ProcessEnv): Promise<Record<string, string>> => {
    const mirror = createMirror(env, join(machine.folder, 'scratch'));
    await mkdir(join(machine.folder, 'into'), { recursive: true });
    try {
      return await mirror.unpack(wanted, join(machine.folder, 'into'));
    } finally {
      await mirror.close();
    }
  };

  test('what is unpacked is what we keep, and links lead to it and not to the machine', async () => {
    const sums = await unpack(await fakeApt({ targets: 'http://mirror.example/debian bookworm Debian' }));
    expect(sums).toEqual({ 'one_1_all.deb': expect.stringMatching(/^[0-9a-f]{64}$/) as string });
    const into = join(machine.folder, 'into');
    expect((await readdir(into)).sort()).toEqual(['etc', 'usr']);
    expect(await readdir(join(into, 'usr'))).toEqual(['bin']);
    expect((await readdir(join(into, 'usr/bin'))).sort()).toEqual(['relative', 'settings']);
    expect(await readFile(join(into, 'usr/bin/relative'), 'utf8')).toBe('hello\n');
    expect(await readdir(machine.folder)).not.toContain('scratch');
  });

  test('a suite that the mirror lacks is told, without the address of the mirror', async () => {
    const site = 'http://user:secret@mirror.example/debian';
    const update = `echo "E: The repository ${site} trixie Release has no file, see ${site}" >&2; exit 100`;
    const failed = unpack(await fakeApt({ targets: `${site} bookworm Debian`, update }));
    await expect(failed).rejects.toThrow("the machine's mirror has no suite trixie that we can use");
    await expect(failed).rejects.not.toThrow(/secret|example/);
  });

  test.each([
    ['none', ''],
    ['of another distribution', 'http://mirror.example/ubuntu noble Ubuntu'],
    ['for security only', 'http://mirror.example/debian-security bookworm-security Debian'],
  ])('a machine with a mirror %s has no Debian mirror', async (_, targets) => {
    await expect(unpack(await fakeApt({ targets }))).rejects.toThrow('apt has no Debian mirror here');
  });

  test('a machine without apt says so', async () => {
    await expect(unpack({ PATH: '/nowhere' })).rejects.toThrow('no apt here');
  });
});

describe('the verdict', () => {
  const missing: Found = { kind: 'missing', name: 'etcd', why: 'etcd 3.5: no etcd on PATH' };
  const there: Found = { kind: 'address', name: 'redis', url: 'redis://h', why: 'Redis 7: named' };

  test('a missing server is one loud line', () => {
    expect(verdict([there, missing], {})).toEqual(['SKIPPED, ALL TESTS OF etcd 3.5: no etcd on PATH']);
    expect(verdict([there], {})).toEqual([]);
  });

  test.each([{ CI: 'true' }, { CI: '1' }, { RXKV_REQUIRE_SERVERS: '1' }])('and a failure with %j', env => {
    expect(() => verdict([there, missing], env)).toThrow('etcd 3.5: no etcd on PATH');
    expect(verdict([there], env)).toEqual([]);
  });
});

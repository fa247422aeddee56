/** Looking closely at a program that was found: does it run, is it of a line we want, is all there that goes with it. */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type ProgramName, type Recipe, catalogue } from './catalogue.js';
import type { Program } from './found.js';
import { lastLines, run } from './run.js';
import { beside, isFolder, onPath } from './search.js';
import { versionIn, within } from './version.js';

/** What a program is apart from where it came from. */
export type Examined = Pick<Program, 'version' | 'command' | 'args' | 'tools' | 'env'>;

export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  /** Added to the program's environment: where its libraries are. */
  readonly added?: Readonly<Record<string, string>>;
  /** Arguments that come first. */
  readonly args?: readonly string[];
}

/** Examines a command, or says in a few words why it will not do. */
export async function examineCommand(
  name: ProgramName,
  command: string,
  { env, added = {}, args = [] }: Surroundings,
): Promise<Examined | { refused: string }> {
  const recipe = catalogue[name];
  const ran = await run(command, recipe.versionArgs ?? [], { env: { ...env, ...added }, timeout: 20_000 });
  // Java says it on stderr.
  const version = versionIn(ran.stdout) ?? versionIn(ran.stderr);
  if (ran.code !== 0 || version === undefined) return { refused: `does not run (${lastLines(ran)})` };
  const unfit = unfitness(recipe, version);
  if (unfit !== undefined) return { refused: unfit };
  const tools: Record<string, string> = {};
  for (const tool of recipe.tools) {
    const path = await beside(command, tool, env);
    if (path === undefined) return { refused: `is ${version} and has no ${tool} beside it or on PATH` };
    tools[tool] = path;
  }
  return { version, command, args, tools, env: added };
}

// What ZooKeeper needs of Debian's jars. All of them in one class path do harm: the manifest of some names others.
const zookeeperJars =
  /^(?:zookeeper|zookeeper-jute|slf4j-api|slf4j-simple|metrics-core|snappy-java|commons-cli|jctools-core|netty-(?:buffer|codec|common|handler|resolver|transport)(?:-native-epoll|-native-unix-common)?)\.jar$/;

/**
 * Examines a ZooKeeper: `path` is its zkServer.sh or a folder of jars, and it runs in the given Java.
 */
export async function examineZooKeeper(path: string, java: Examined): Promise<Examined | { refused: string }> {
  const folder = (await isFolder(path)) ? path : join(dirname(path), '../lib');
  const jars = (await readdir(folder).catch(() => [])).filter(name => name.endsWith('.jar'));
  const versions = jars.map(name => /^zookeeper-(\d[\d.]*\d)\.jar$/.exec(name)?.[1]).filter(version => version !== undefined);
  const version = versions[0];
  if (version === undefined) return { refused: `has no zookeeper-<version>.jar in ${folder}` };
  const unfit = unfitness(catalogue.zookeeper, version);
  if (unfit !== undefined) return { refused: unfit };
  // Apache's own folder has what it needs and nothing else; Debian's holds every library of the machine.
  const debian = jars.includes('slf4j-simple.jar');
  const classPath = debian ? jars.filter(name => zookeeperJars.test(name)).map(name => join(folder, name)) : [join(folder, '*')];
  return { version, command: java.command, args: [...java.args, '-cp', classPath.join(':')], tools: {}, env: java.env };
}

/**
 * Examines a Curator: `path` is a folder of jars, and it runs in the Java and beside the jars of the given ZooKeeper.
 */
export async function examineCurator(path: string, zookeeper: Examined): Promise<Examined | { refused: string }> {
  const jars = await readdir(path).catch((): string[] => []);
  const version = jars.map(name => /^curator-recipes-(\d[\d.]*\d)\.jar$/.exec(name)?.[1]).find(found => found !== undefined);
  if (version === undefined) return { refused: `has no curator-recipes-<version>.jar in ${path}` };
  const unfit = unfitness(catalogue.curator, version);
  if (unfit !== undefined) return { refused: unfit };
  const wanted = ['curator-recipes.jar', 'curator-framework.jar', 'curator-client.jar', 'guava.jar', 'js.jar'];
  const missing = wanted.find(name => !jars.includes(name));
  if (missing !== undefined) return { refused: `has no ${missing} in ${path}` };
  const classPath = [zookeeper.args.at(-1) ?? '', ...wanted.map(name => join(path, name))].join(':');
  return { version, command: zookeeper.command, args: [...zookeeper.args.slice(0, -1), classPath], tools: {}, env: zookeeper.env };
}

function unfitness({ from, below }: Recipe, version: string): string | undefined {
  return within(version, from, below) ? undefined : `is ${version}, and ${from} or later is wanted, before ${below}`;
}

/** The command that unpacked files hold, with what it needs to run from where it is. */
export async function inUnpacked(name: ProgramName, root: string, env: NodeJS.ProcessEnv): Promise<{ command: string } & Surroundings> {
  const { command } = catalogue[name];
  if (name === 'zookeeper' || name === 'curator') return { command: join(root, 'usr/share/java'), env };
  if (name === 'java') {
    const homes = (await readdir(join(root, 'usr/lib/jvm'), { withFileTypes: true })).filter(entry => entry.isDirectory());
    // Its trust store is made when the package is installed, which it is not: none, and who needs one names it.
    return { command: join(root, 'usr/lib/jvm', homes[0]?.name ?? '', 'bin/java'), env, args: ['-Djavax.net.ssl.trustStore=NONE'] };
  }
  const libraries = (await readdir(join(root, 'usr/lib')).catch(() => [])).filter(folder => folder.includes('-linux-'));
  const added: Record<string, string> =
    libraries.length === 0 ? {} : { LD_LIBRARY_PATH: libraries.map(folder => join(root, 'usr/lib', folder)).join(':') };
  return { command: join(root, 'usr/bin', command), env, added };
}

/** The Java or server on PATH; Java also where JAVA_HOME says. */
export async function installed(name: ProgramName, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (name === 'java' && env.JAVA_HOME !== undefined && env.JAVA_HOME !== '') return join(env.JAVA_HOME, 'bin/java');
  return onPath(catalogue[name].command, env);
}

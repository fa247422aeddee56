/**
 * The machine's own Debian mirror, asked by an apt that stands apart: lists, state and packages in a folder of ours, nothing
 * installed, no root needed, and no host named: the site is the one that the machine's sources name.
 *
 * apt checks what it fetches against the suite's signed index; what is kept is checked by the cache (cache.ts).
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Packages } from './catalogue.js';
import { mendLinks, keepOnly } from './tree.js';
import { lastLines, must, run } from './run.js';

export interface Mirror {
  /**
   * Unpacks packages into an empty folder, and resolves with the sha256 of each package file. Rejects with the reason, in one
   * line, where this machine cannot: no apt, no Debian mirror, or no such suite or package on it.
   */
  unpack(wanted: Packages, folder: string): Promise<Record<string, string>>;
  /** Removes the lists that were fetched. */
  close(): Promise<void>;
}

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** @param scratch a folder for what apt needs while it works */
export function createMirror(env: NodeJS.ProcessEnv, scratch: string): Mirror {
  // Suites are fetched once, however many servers come from them.
  const suites = new Map<string, Promise<readonly string[]>>();

  const suite = (name: string): Promise<readonly string[]> => {
    const known = suites.get(name) ?? update(name, scratch, env);
    suites.set(name, known);
    return known;
  };

  return {
    async unpack({ suite: name, packages, keep }, folder) {
      const options = await suite(name);
      await mkdir(scratch, { recursive: true });
      const downloads = await mkdtemp(join(scratch, 'debs-'));
      const got = await run('apt-get', [...options, 'download', ...packages], { cwd: downloads, env });
      if (got.code !== 0) throw new Error(`the mirror's ${name} has not all of ${packages.join(', ')} (${lastLines(got)})`);
      const checksums: Record<string, string> = {};
      for (const file of (await readdir(downloads)).sort()) {
        const path = join(downloads, file);
        checksums[file] = createHash('sha256')
          .update(await readFile(path))
          .digest('hex');
        await must('dpkg-deb', ['-x', path, folder], { env });
      }
      await keepOnly(folder, keep);
      await mendLinks(folder);
      await rm(downloads, { recursive: true });
      return checksums;
    },
    async close() {
      await Promise.allSettled(suites.values());
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

/** Fetches the lists of a suite; resolves with the options that make apt use them. */
async function update(suite: string, scratch: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const site = await siteOf(env);
  const folder = join(scratch, suite);
  for (const part of ['lists/partial', 'cache/archives/partial']) await mkdir(join(folder, part), { recursive: true });
  await writeFile(join(folder, 'sources.list'), `deb [signed-by=${keyring}] ${site} ${suite} main\n`);
  await writeFile(join(folder, 'status'), '');
  const settings = {
    'Dir::Etc::SourceList': join(folder, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::State::Lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    // apt run by root would fetch as a user who may not write here.
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
    // A suite without an index is an error, not a warning.
    'APT::Update::Error-Mode': 'any',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
    'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled': 'false',
  };
  const options = ['-qq', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
  const updated = await run('apt-get', [...options, 'update'], { env });
  if (updated.code !== 0)
    throw new Error(`the machine's mirror has no suite ${suite} that we can use (${withoutSite(lastLines(updated), site)})`);
  return options;
}

/** The site of the machine's Debian archive, its security archive aside. */
async function siteOf(env: NodeJS.ProcessEnv): Promise<string> {
  const asked = await run('apt-get', ['indextargets', '--format', '$(SITE) $(RELEASE) $(ORIGIN)', 'Created-By: Packages'], { env });
  if (asked.code !== 0) throw new Error('no apt here');
  const targets = asked.stdout.split('\n').filter(line => line !== '' && !line.includes('security'));
  // Before its first update a machine does not know the origin of its sources.
  const target = targets.find(line => line.endsWith(' Debian')) ?? targets.find(line => line.includes('$(ORIGIN)'));
  const site = target?.split(' ')[0];
  if (site === undefined) throw new Error('apt has no Debian mirror here');
  return site;
}

/** apt repeats addresses in its complaints, and an address may hold a password. */
function withoutSite(words: string, site: string): string {
  return words.replaceAll(site, 'the mirror').replaceAll(/\b\w+:\/\/\S+/g, 'an address of it');
}

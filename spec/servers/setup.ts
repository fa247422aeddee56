/** Before the specs of the project `servers`: finds or unpacks the servers, and tells the workers what there is. */
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { serverNames, type SuiteName } from './catalogue.js';
import type { Found } from './found.js';
import { provision } from './provision.js';
import { verdict } from './verdict.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** What was found of each server of this run. */
    servers: Readonly<Partial<Record<SuiteName, Found>>>;
  }
}

export default async function setup(project: TestProject): Promise<void> {
  const { env } = process;
  // Not in node_modules, which `npm ci` empties.
  const cache = fileURLToPath(new URL('../../.cache/servers', import.meta.url));
  const servers = await provision([...serverNames, 'curator'], { env, cache });
  for (const line of verdict(Object.values(servers), env)) console.warn(`\n*** ${line}\n`);
  project.provide('servers', servers);
}

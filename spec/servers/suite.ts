/** Specs that need a server: skipped by name where it is missing, and telling what it printed where they fail. */
import { afterEach, describe, inject } from 'vitest';
import type { ServerName } from './catalogue.js';
import type { Address, Program } from './found.js';

/**
 * A `describe` whose tests run against one kind of server; skipped where there is none.
 *
 * @example
 * describeServer('etcd', 'a lock', found => { test('...', async () => { await using etcd = await startEtcd(found); ... }); });
 */
export function describeServer(name: ServerName, title: string, body: (found: Program | Address) => void): void {
  const found = inject('servers')[name];
  if (found === undefined) describe.skip(`${title} (${name} is not part of this run)`, () => undefined);
  else if (found.kind === 'missing') describe.skip(`${title} (${found.why})`, () => undefined);
  else describe(title, () => body(found));
}

/**
 * As {@link describeServer} for what needs a server of our own: one that the environment names cannot be stopped or configured.
 */
export function describeProgram(name: ServerName, title: string, body: (program: Program) => void): void {
  describeServer(name, title, found => {
    if (found.kind === 'program') body(found);
    else describe.skip(`not on a ${name} that is not ours`, () => undefined);
  });
}

/**
 * After each test that failed, prints what the servers of its file printed. Call it inside a describe.
 *
 * @param logs asked only then
 */
export function showLogsOnFailure(logs: () => string): void {
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.error(`--- server log for "${task.name}"\n${logs()}\n---`);
  });
}

/** Specs that need a server: skipped by name where it is missing, and telling what it printed where they fail. */
import { afterEach, describe, inject, test } from 'vitest';
import type { SuiteName } from './catalogue.js';
import type { Address, Program } from './found.js';

/**
 * A `describe` whose tests run against one kind of server; skipped where there is none.
 *
 * @example
 * describeServer('etcd', 'a lock', found => { test('...', async () => { await using etcd = await startEtcd(found); ... }); });
 */
export function describeServer(name: SuiteName, title: string, body: (found: Program | Address) => void): void {
  const found = inject('servers')[name];
  if (found === undefined) leaveOut(title, `${name} is not part of this run`);
  else if (found.kind === 'missing') leaveOut(title, found.why);
  else
    describe(title, () => {
      body(found);
    });
}

/**
 * As {@link describeServer} for what needs a server of our own: one that the environment names cannot be stopped or configured.
 */
export function describeProgram(name: SuiteName, title: string, body: (program: Program) => void): void {
  describeServer(name, title, found => {
    if (found.kind === 'program') body(found);
    else leaveOut(title, `not on a ${name} that is not ours`);
  });
}

/** One skipped test in the report, which says why the others are not there. */
function leaveOut(title: string, why: string): void {
  test.skipIf(true)(`${title} (${why})`, () => undefined);
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

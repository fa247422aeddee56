/** The Nodes that are supported: package.json, the script and the workflow name the same. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

interface Matrix {
  readonly versions: readonly string[];
}

const root = new URL('..', import.meta.url);
const workflow = read('.github/workflows/ci.yml');

function read(file: string): string {
  return readFileSync(fileURLToPath(new URL(file, root)), 'utf8');
}

test('are the same for npm run test:node, in CI, and from "engines" on', async () => {
  const { versions } = (await import(new URL('scripts/matrix.mjs', root).href)) as Matrix;
  expect(/node: \[(.+)\]/.exec(workflow)?.[1]?.split(', ')).toEqual(versions);
  const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
  expect(engines.node).toMatch(new RegExp(`^>=${versions[0]}\\.`));
});

test('run in CI what everybody can run, with actions of a major version', () => {
  expect(workflow).toContain('- run: .ci/run');
  const actions = [...workflow.matchAll(/uses: (.+)/g)].map(found => found[1]);
  expect(actions.length).toBeGreaterThan(0);
  expect(actions.filter(action => !/^actions\/[a-z-]+@v\d+$/.test(`${action}`))).toEqual([]);
});

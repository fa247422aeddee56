/**
 * What a mutant is run against: the specs and laws of the mutated files alone, without projects, servers or packing.
 *
 * The seed is fixed, so that a mutant that survives once survives always.
 */

process.env.RXKV_RUNS ??= '50';
process.env.RXKV_SEED ??= '1';

// Stryker runs a copy of the checkout, which is then the current directory.
const source = path => `${process.cwd()}/src/${path}`;

export default {
  root: process.cwd(),
  resolve: {
    alias: [
      { find: /^rxkv$/, replacement: source('index.ts') },
      { find: /^rxkv\/([a-z]+)$/, replacement: source('backends/$1/index.ts') },
    ],
  },
  test: {
    include: [
      'spec/{tree,snapshot,reconcile,reflect,lease}.spec.ts',
      'spec/operators/{deltas,diff,to-snapshot}.spec.ts',
      'property-tests/{tree,snapshot,diff,reflect,lease}.prop.ts',
    ],
    setupFiles: ['property-tests/configure.ts'],
    testTimeout: 20_000,
    maxWorkers: 1,
    // Starting a worker takes longer than most of these tests.
    isolate: false,
  },
};

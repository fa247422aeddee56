/** Stryker's settings; `node scripts/mutate.mjs` is how to run it. */

/** What the promises of the core stand on: a mistake here is a wrong event, or two holders of a lock. */
const files = ['tree', 'snapshot', 'reconcile', 'reflect', 'lease', 'operators/change', 'operators/deltas', 'operators/diff'];

export default {
  testRunner: 'vitest',
  vitest: { configFile: 'scripts/mutation/vitest.config.mjs' },
  mutate: files.map(file => `src/${file}.ts`),
  coverageAnalysis: 'perTest',
  // Stryker's own treatment of tsconfig.json needs an older compiler; none is needed to run tests.
  tsconfigFile: 'none.json',
  ignorePatterns: ['/.cache', '/bench', '/coverage', '/demo', '/dist', '/docs', '/scripts/mutation/node_modules', '/spec/packaging'],
  tempDirName: '.cache/stryker',
  reporters: ['clear-text', 'json', 'progress-append-only'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: '.cache/mutation.json' },
  concurrency: 1,
  timeoutMS: 10_000,
  disableTypeChecks: false,
  allowConsoleColors: false,
  checkers: [],
};

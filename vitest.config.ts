import { fileURLToPath } from 'node:url';
import { type ViteUserConfig, defineConfig } from 'vitest/config';

/** Runs of each property (property-tests/configure.ts); a nightly run has more time in proportion. */
const scale = Math.max(1, Number(process.env.RXKV_RUNS ?? 100) / 100);

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

/** What needs real servers, which spec/servers/setup.ts provides. */
const withServers = [
  'spec/servers/**/*.spec.ts',
  'property-tests/servers/**/*.prop.ts',
  ...['etcd', 'consul', 'zookeeper', 'redis'].flatMap(name => [`spec/conformance/${name}*.spec.ts`, `spec/backends/${name}/**/*.spec.ts`]),
];

const config: ViteUserConfig = defineConfig({
  resolve: {
    // As in tsconfig.json: who writes 'rxkv' in a test means the sources. The packaging tests see the packed package,
    // because what they run is in other processes.
    alias: [
      { find: /^rxkv$/, replacement: source('index.ts') },
      { find: /^rxkv\/driver$/, replacement: source('driver-kit.ts') },
      { find: /^rxkv\/conformance$/, replacement: source('conformance/index.ts') },
      { find: /^rxkv\/open$/, replacement: source('open.ts') },
      { find: /^rxkv\/([a-z]+)$/, replacement: source('backends/$1/index.ts') },
    ],
  },
  test: {
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Projects of one groupOrder run side by side and must have the same maxWorkers; a higher one runs later.
    projects: [
      {
        extends: true,
        test: {
          name: 'spec',
          include: ['spec/**/*.spec.ts'],
          exclude: ['spec/packaging/**', ...withServers],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'property',
          include: ['property-tests/*.prop.ts'],
          setupFiles: ['property-tests/configure.ts'],
          testTimeout: 60_000 * scale,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'servers',
          include: [...withServers],
          globalSetup: ['spec/servers/setup.ts'],
          setupFiles: ['property-tests/configure.ts'],
          testTimeout: 60_000 * scale,
          // After the rest: servers count leases and time-outs by the clock. Their tests wait more than they work.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'packaging',
          include: ['spec/packaging/**/*.spec.ts'],
          globalSetup: ['spec/packaging/setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // After the rest: compilers running beside them would disturb tests that look at the clock.
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});

export default config;

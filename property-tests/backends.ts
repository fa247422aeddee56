/** The embedded backends, which the laws hold for as for those of property-tests/servers/. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lmdb } from '../src/backends/lmdb/index.js';
import { createWorld, memory } from '../src/backends/memory/index.js';
import type { Driver } from '../src/driver.js';

export interface Backend {
  readonly name: string;
  /** Data of its own, empty. */
  readonly open: () => Place | Promise<Place>;
}

/** How often a law is tried, where that is not as often as any other. */
export interface Runs {
  readonly numRuns?: number;
}

/** What several drivers share. */
export interface Place {
  connect(root?: string): Driver;
  /** Forgets the data; the stores are closed before. */
  end(): void | Promise<void>;
}

export const backends: readonly Backend[] = [
  {
    name: 'memory',
    open: () => {
      const world = createWorld();
      return { connect: (root = '') => memory({ world, root }), end: () => {} };
    },
  },
  {
    name: 'lmdb',
    open: () => {
      const path = mkdtempSync(join(tmpdir(), 'rxkv-property-'));
      return {
        connect: (root = '') => lmdb({ path, root }),
        end: () => rmSync(path, { recursive: true, force: true }),
      };
    },
  },
];

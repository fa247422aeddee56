/** The backends that the laws hold for: one list, which a new backend joins. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lmdb } from '../src/backends/lmdb/index.js';
import { createWorld, memory } from '../src/backends/memory/index.js';
import type { Driver } from '../src/driver.js';

export interface Backend {
  readonly name: string;
  /** Data of its own, empty. */
  readonly open: () => Place;
}

/** What several drivers share. */
export interface Place {
  connect(root?: string): Driver;
  /** Forgets the data; the stores are closed before. */
  end(): void;
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

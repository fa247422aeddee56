/** The writer in another process, the reader in this one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { lmdb } from '../../src/backends/lmdb/index.js';
import { conformance } from '../../src/conformance/index.js';
import { DriverHost } from '../backends/lmdb/remote-driver.js';

const path = mkdtempSync(join(tmpdir(), 'rxkv-conformance-'));
const host = await DriverHost.start();
afterAll(async () => {
  await host.stop();
  rmSync(path, { recursive: true, force: true });
});

let connections = 0;
conformance(
  { test, expect },
  { name: 'lmdb in two processes', connect: ({ root }) => (connections++ % 2 === 0 ? host.lmdb({ path, root }) : lmdb({ path, root })) },
);

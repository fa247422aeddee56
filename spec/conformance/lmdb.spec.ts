import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { lmdb } from '../../src/backends/lmdb/index.js';
import { conformance } from '../../src/conformance/index.js';

const path = mkdtempSync(join(tmpdir(), 'rxkv-conformance-'));
afterAll(() => rmSync(path, { recursive: true, force: true }));

conformance({ test, expect }, { name: 'lmdb', connect: ({ root }) => lmdb({ path, root }) });

/**
 * The conformance suite on LMDB. A gate stands between each driver and its folder, as a link stands between a client
 * and its server: so the holder of a lock can be cut off while its rival is not, all in one process.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { capabilitiesOf } from '../../src/backends/lmdb/capabilities.js';
import { lmdb } from '../../src/backends/lmdb/index.js';
import { openTable } from '../../src/backends/lmdb/table.js';
import { Draft } from '../../src/backends/local/draft.js';
import { createLocalDriver } from '../../src/backends/local/driver.js';
import { Gate, type Way } from '../../src/backends/local/gate.js';
import { instantOf } from '../../src/backends/local/row.js';
import { ending } from '../../src/backends/local/session.js';
import type { Table } from '../../src/backends/local/table.js';
import { conformance } from '../../src/conformance/index.js';
import type { Driver } from '../../src/driver.js';
import { byteLength } from '../../src/key.js';
import { contendersIn, counted, type Traffic } from './instruments.js';

const path = mkdtempSync(join(tmpdir(), 'rxkv-conformance-'));
const history = 100_000;
/** An operator's own way to the folder. */
let operator: Table;
beforeAll(async () => {
  operator = await openTable({ path, history });
});
afterAll(async () => {
  await operator.close();
  rmSync(path, { recursive: true, force: true });
});

interface Connection {
  readonly root: string;
  readonly gate: Gate;
  readonly traffic: Traffic;
}

const connections = new WeakMap<Driver, Connection>();

function connect({ root }: { root: string }): Driver {
  const gate = new Gate('lmdb');
  const prefix = `${root}/`;
  const capabilities = capabilitiesOf(byteLength(prefix));
  // As lmdb() itself does it, but for the gate.
  const driver = createLocalDriver({
    name: 'lmdb',
    root: prefix,
    capabilities,
    open: () => openTable({ path, history }),
    sweepEvery: 1000,
    gate,
  });
  connections.set(driver, { root, gate, traffic: counted(driver) });
  return driver;
}

function connectionOf(driver: Driver): Connection {
  const connection = connections.get(driver);
  if (connection === undefined) throw new Error('the driver is none of this harness');
  return connection;
}

function set(driver: Driver, way: Way): void {
  connectionOf(driver).gate.set(way);
}

async function expireSessions(): Promise<void> {
  await operator.commit(view => {
    const draft = new Draft(view, instantOf(operator));
    for (const { id } of view.sessions()) draft.step(ending(id));
    return draft.batch();
  });
}

conformance(
  { test, expect },
  {
    name: 'lmdb',
    connect,
    cut: driver => set(driver, 'cut'),
    hang: driver => set(driver, 'hung'),
    heal: driver => set(driver, 'open'),
    expireSession: expireSessions,
    compact: () => operator.compact(),
    roundTrips: driver => connectionOf(driver).traffic.trips,
    serverWatches: driver => connectionOf(driver).traffic.watches,
    contenders: (driver, lock) => contendersIn(lmdb({ path, root: connectionOf(driver).root }), lock),
    silence: 1000,
  },
);

/** A folder to bench in: on a disk that syncs, or the figures of durable writes mean nothing. */
import { closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from './row.js';

/** µs: what a disk that syncs takes at least; what only remembers is far below. */
const leastSync = 30;

/** Runs `work` in a new folder below .cache, which is on the disk of the checkout, and removes it afterwards. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const base = process.env.RXKV_BENCH_FOLDER ?? fileURLToPath(new URL('..', import.meta.url));
  mkdirSync(base, { recursive: true });
  const folder = mkdtempSync(join(base, 'bench-data-'));
  try {
    console.log(syncing(folder));
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a sync costs here, as a sentence. */
function syncing(folder: string): string {
  const cost = median(syncs(join(folder, 'sync'), 50));
  const told = `one write of 4 KiB and its fdatasync: ${cost.toFixed(0)} µs (median of 50)`;
  return cost >= leastSync ? told : `${told}: NOT A DISK THAT SYNCS, so durable writes cost nothing here. Set RXKV_BENCH_FOLDER.`;
}

function syncs(file: string, count: number): number[] {
  const block = new Uint8Array(4096);
  const descriptor = openSync(file, 'w');
  try {
    return Array.from({ length: count }, (_, i) => {
      const began = performance.now();
      writeSync(descriptor, block, 0, block.length, i * block.length);
      fdatasyncSync(descriptor);
      return (performance.now() - began) * 1000;
    });
  } finally {
    closeSync(descriptor);
  }
}

/**
 * How hard the property tests try.
 *
 * `RXKV_RUNS` is the number of runs of each property: 100 by default, 2000 nightly (`npm run test:all`).
 * A failure prints its seed and path; `RXKV_SEED=<seed>` makes every property draw the same cases again.
 */
import fc from 'fast-check';

const runs = whole('RXKV_RUNS') ?? 100;
const seed = whole('RXKV_SEED');

if (runs < 1) throw new Error(`RXKV_RUNS must be at least 1: ${runs}`);

fc.configureGlobal({
  numRuns: runs,
  ...(seed === undefined ? {} : { seed }),
});

function whole(name: string): number | undefined {
  const written = process.env[name];
  if (written === undefined || written === '') return undefined;
  const number = Number(written);
  if (!Number.isInteger(number)) throw new Error(`${name} must be a whole number: "${written}"`);
  return number;
}

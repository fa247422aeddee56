/**
 * A soak of LMDB: several processes on one folder for minutes, most of which die in the midst of it.
 *
 *   npm run soak                    ten minutes
 *   npm run soak -- --seconds 60    one
 *   npm run soak -- --path ./data   in a folder that stays (a new one); else in one that goes away
 *   npm run soak -- --seed 7        the same choices as another run with that seed
 *   npm run soak -- --built         with dist/ as it is
 *
 * Three writers put, delete, let expire and count; the change log is kept so short that whoever looks away falls behind
 * it; three readers follow, of whom two are killed (SIGKILL) every other second and come back, and are stopped (SIGSTOP)
 * for a while; three candidates hand a lock on, and are killed while they hold it. At the end every reader must have come
 * to the state of the store, by snapshots and by differences; every count must add up; no pair may have been seen torn,
 * no section of the lock held twice; memory and file must not have grown with time; and the folder must be healthy.
 * Prints what was done, and fails if any of that is not so.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, run } from './run.mjs';
import { Cast } from './soak/cast.mjs';
import { digest } from './soak/digest.mjs';
import { numbers } from './soak/numbers.mjs';
import { Sections } from './soak/sections.mjs';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    path: { type: 'string' },
    seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
    built: { type: 'boolean', default: false },
  },
});
const seconds = Number(options.seconds);
const seed = Number(options.seed);
if (!(seconds > 0) || !Number.isSafeInteger(seed)) throw new Error('--seconds is a number over 0, --seed a whole number');
if (!options.built && (await run(process.execPath, ['scripts/build.mjs'], { quiet: true })) !== 0) process.exit(1);

const { createStore, text } = await import(`${root}/dist/esm/index.js`);
const { inspect, lmdb } = await import(`${root}/dist/esm/backends/lmdb/index.js`);

const MiB = 2 ** 20;
/** Transactions in the change log: some tenths of a second of what is written. */
const history = 200;
/** ms between the deaths of readers, and of candidates. */
const readerLife = 1500;
const candidateLife = 2500;

const path = options.path ?? mkdtempSync(join(tmpdir(), 'rxkv-soak-'));
const draw = numbers(seed);
const cast = new Cast({ path, history, seed });
const sections = new Sections(fault => cast.faults.push(fault));
cast.sections = (actor, message) => sections.heard(actor, message);
const file = () => statSync(join(path, 'data.mdb')).size;
const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
const verdicts = {};
const sizes = [];

process.on('exit', () => {
  cast.kill();
  if (options.path === undefined) rmSync(path, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

console.log(`soak of ${seconds} s with seed ${seed} in ${path}`);
const began = Date.now();
// On a busy machine it takes longer until there is something to compare.
const over = () => Date.now() - began >= seconds * 1000 * (enough() ? 1 : 3);
await Promise.all(['one', 'two', 'three'].map(name => cast.start('writer', `writer-${name}`)));
await Promise.all(['steady', 'mortal', 'stopped'].map(name => cast.start('reader', `reader-${name}`)));
await Promise.all(['one', 'two', 'three'].map(name => cast.start('candidate', `candidate-${name}`)));
await Promise.all([killReaders(), killCandidates(), stopReader(), lookOn()]);
const summary = await settle();
for (const [what, figure] of Object.entries(summary)) console.log(`${what.padEnd(34)}${figure}`);
for (const fault of cast.faults) console.error(`FAULT ${fault}`);
console.log(cast.faults.length === 0 ? 'all held' : `${cast.faults.length} faults`);
process.exitCode = cast.faults.length === 0 ? 0 : 1;

async function killReaders() {
  for (let turn = 0; await lives(readerLife); turn++) await cast.replace(named(turn % 2 === 0 ? 'reader-mortal' : 'reader-stopped'));
}

async function killCandidates() {
  while (await lives(candidateLife)) {
    const candidates = cast.of('candidate');
    await cast.replace(candidates[draw(candidates.length)]);
  }
}

/** Longer than the log reaches, so that it must begin anew. */
async function stopReader() {
  while (await lives(1000)) {
    const reader = named('reader-stopped');
    reader?.child.kill('SIGSTOP');
    await pause(200 + draw(600));
    reader?.child.kill('SIGCONT');
  }
}

async function lookOn() {
  for (let look = 0; await lives(1000); look++) {
    sizes.push(file());
    if (look % 5 !== 4) continue;
    const { verdict, problems } = await inspect(path);
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    if (verdict !== 'healthy' && verdict !== 'busy') cast.faults.push(`inspected as ${verdict}: ${problems[0]?.wrong}`);
  }
}

/** After a while of about that many ms; whether the soak still goes on. */
async function lives(ms) {
  await pause(ms / 2 + draw(ms));
  return !over() && cast.faults.length === 0;
}

function named(name) {
  return [...cast.of('reader'), ...cast.of('candidate')].find(actor => actor.name === name);
}

/** Lets the work end, and adds everything up. */
async function settle() {
  const took = (Date.now() - began) / 1000;
  const grown = growth();
  const writers = cast.of('writer');
  const readers = cast.of('reader');
  await cast.stop('candidate');
  for (const writer of writers) cast.ask(writer, 'stop');
  const wrote = await Promise.all(writers.map(async writer => ({ name: writer.name, ...(await cast.heard(writer, 'wrote')) })));
  await cast.stop('writer');
  const store = createStore(lmdb({ path, history }));
  for (const { name, own, value } of wrote) check(`count/${name}`, own, Number(text(await store.get(`count/${name}`))), value);
  const shared = sum(wrote.map(each => each.shared));
  check('count/shared', shared, Number(text(await store.get('count/shared'))));
  sections.check(Number(text(await store.get('locked/count')) ?? 0));
  const states = await Promise.all(readers.map(reader => converged(reader, store)));
  await cast.stop('reader');
  const all = sum(wrote.flatMap(({ own, shared: both, other }) => [own, both, other]));
  const { size, revision } = await store.list('');
  await store.close();
  const inspection = await inspect(path);
  if (inspection.verdict !== 'healthy') cast.faults.push(`in the end it is ${inspection.verdict}: ${inspection.problems[0]?.wrong}`);
  return {
    lasted: `${took.toFixed(0)} s`,
    'writes acknowledged': `${all.acknowledged} (${(all.acknowledged / took).toFixed(0)}/s)`,
    'writes of unknown outcome': all.unknown,
    'writes refused': all.refused,
    'shared counter': `${shared.acknowledged} increments of three writers, none lost`,
    'revision, keys at the end': `${revision}, ${size}`,
    'log reaches back to': `${inspection.contents?.compacted}`,
    'readers killed': cast.killed.reader,
    'readers that came to the state': `${states.filter(Boolean).length} of ${readers.length}`,
    'changes seen by the steady reader': states.find(state => state?.name === 'reader-steady')?.changes,
    'candidates killed': cast.killed.candidate,
    'sections under the lock': `${sections.acknowledged}, handed over ${sections.handovers} times, lost ${sections.lost} times`,
    'inspections on the way': Object.entries(verdicts)
      .map(each => each.join(' '))
      .join(', '),
    ...grown,
  };
}

/** What was acknowledged is there; beyond it only what may have been. */
function check(what, { acknowledged, unknown }, found, last) {
  // Its own counter a writer puts, it does not add to it: the last one that was put is there.
  const [least, most] = last === undefined ? [acknowledged, acknowledged + unknown] : [unknown === 0 ? last : acknowledged, last];
  if (!(found >= least && found <= most)) cast.faults.push(`${what} is ${found}, and must be from ${least} to ${most}`);
}

function sum(tallies) {
  const total = { acknowledged: 0, unknown: 0, refused: 0 };
  for (const tally of tallies) for (const name of Object.keys(total)) total[name] += tally[name];
  return total;
}

/** Waits for the reader to have come to what the store holds. */
async function converged(reader, store) {
  const end = Date.now() + 20_000;
  for (;;) {
    // Keys with a ttl still expire meanwhile.
    const expected = digest([...(await store.list('tree'))].map(entry => [entry.key, text(entry)]));
    cast.ask(reader, 'state');
    const state = await cast.heard(reader, 'state');
    if (state.torn > 0) cast.faults.push(`${reader.name} saw ${state.torn} pairs torn`);
    if (state.snapshot === expected && state.built === expected) return { name: reader.name, ...state };
    if (Date.now() > end) {
      cast.faults.push(`${reader.name} never came to the state of the store`);
      return undefined;
    }
    await pause(50);
  }
}

/**
 * How memory and file fared, by quarters: after the first, in which both find their size, they stay. The file has room
 * for what was written while a reader that was killed or stopped still had its snapshot: the longest such time counts.
 */
function growth() {
  const steady = lasting();
  const heaps = steady.map(({ name, heaps: all }) => bounded(`the heap of ${name}`, all, 32 * MiB));
  const files = bounded('the file', sizes, 32 * MiB);
  return {
    'heap of those that lived, MiB': heaps.join('; '),
    'most resident memory': `${Math.round(Math.max(...steady.map(({ rss }) => rss)) / MiB)} MiB`,
    'file, MiB': files,
  };
}

/** Those that nobody kills. */
function lasting() {
  return [...cast.of('writer'), named('reader-steady')];
}

/** Whether there is a first and a last quarter of what is to be bounded. */
function enough() {
  return [sizes, ...lasting().map(({ heaps }) => heaps)].every(all => all.length >= 4);
}

/** @param slack bytes of growth that mean nothing */
function bounded(what, all, slack) {
  const at = quarter => Math.floor((quarter * all.length) / 4);
  if (all.length < 4) cast.faults.push(`${what} was looked at ${all.length} times, which says nothing`);
  const medians = [0, 1, 2, 3].map(each => median(all.slice(at(each), at(each + 1))));
  const [, early, , late] = medians;
  if (late > 1.5 * early + slack) cast.faults.push(`${what} grew from ${shown(early)} to ${shown(late)} MiB`);
  return medians.map(shown).join(' → ');
}

function median(all) {
  return all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
}

function shown(bytes) {
  return (bytes / MiB).toFixed(0);
}

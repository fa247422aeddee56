/**
 * The main job, to be looked at: a real configuration file becomes a tree in a store, two more processes work on
 * it, and this one shows what happens as it happens.
 *
 * `npm start`                          this package's own package-lock.json in an embedded LMDB store
 * `npm start -- settings.json`         another JSON file
 * `npm start -- lmdb:./data`           another store; both arguments together in any order
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filter, firstValueFrom, ReplaySubject, take, timeout } from 'rxjs';
import { diff, KvError, type Leader, type Store } from 'rxkv';
import { open } from 'rxkv/open';
import { flatten, type Leaf } from './flatten.js';
import { type Message, now } from './messages.js';
import { paint, progress, say } from './screen.js';
import { Seen } from './seen.js';

const ttl = 1500;
const edits = 60;
// Below a name of its own: the store may be somebody's.
const directory = 'rxkv-demo/config';
const election = 'rxkv-demo/scheduler';

const { file, url } = argumentsOf(process.argv.slice(2));
const folder = url === undefined ? await temporaryFolder() : undefined;
const storeUrl = url ?? `lmdb:${folder}`;
const children: ChildProcess[] = [];
let failed = false;
try {
  await run();
} catch (error) {
  failed = true;
  say(paint('red', `failed: ${KvError.is(error) ? `${error.code}: ${error.message}` : messageOf(error)}`));
} finally {
  for (const child of children) child.kill('SIGKILL');
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

async function run(): Promise<void> {
  const store = await open(storeUrl);
  try {
    if (store.backend === 'memory')
      throw new Error('memory: lives in one process, and this takes three: name a store that others can open');
    say(`${paint('bold', basename(file))} → ${store.backend} ${paint('dim', folder === undefined ? '' : '(a temporary folder)')}`);
    await load(store);
    await show(store);
  } finally {
    await store.close();
  }
}

async function load(store: Store): Promise<void> {
  const view = store.at(directory);
  const leaves: Leaf[] = [...flatten(JSON.parse(await readFile(file, 'utf8')))];
  const started = now();
  await view.deleteTree('');
  const report = progress('loading', leaves.length);
  let done = 0;
  const batch = 500;
  for (let at = 0; at < leaves.length; at += batch) {
    await Promise.all(leaves.slice(at, at + batch).map(({ key, value }) => view.put(key, value)));
    done = Math.min(at + batch, leaves.length);
    report(done);
  }
  say(`${leaves.length} keys written and durable in ${Math.round(now() - started)} ms`);
}

async function show(store: Store): Promise<void> {
  const seen = new Seen(edits / 6);
  const leaders$ = new ReplaySubject<Leader | undefined>();
  const watching = store
    .at(directory)
    .watchTree$('')
    .pipe(diff({ initial: 'skip' }))
    .subscribe({ next: change => seen.change(change), error: fail });
  watching.add(store.leader$(election).subscribe(leaders$));
  watching.add(leaders$.subscribe({ next: leader => seen.leader(leader), error: fail }));
  try {
    const candidate = start('candidate', [storeUrl, election, 'first process', String(ttl)]);
    const first = await leading(leaders$, leader => leader !== undefined);
    // This process stands second in the queue, and leads when the first is gone.
    watching.add(store.elect$(election, { id: 'this process', ttl }).subscribe({ error: fail }));
    const editor = start('editor', [storeUrl, directory, String(edits)], message => seen.message(message));
    await seen.events(20);
    say(paint(['bold', 'yellow'], `kill -9 ${candidate.pid ?? ''} (the leader, fence ${first.fence})`));
    const killed = now();
    candidate.kill('SIGKILL');
    const second = await leading(leaders$, leader => leader?.id === 'this process');
    say(paint(['bold', 'yellow'], `leadership handed over after ${Math.round(now() - killed)} ms: fence ${first.fence} → ${second.fence}`));
    await exited(editor);
    await seen.settled();
  } finally {
    watching.unsubscribe();
  }
  seen.summary();
}

function fail(error: unknown): void {
  failed = true;
  say(paint('red', `the watch failed: ${String(error)}`));
}

async function leading(leaders$: ReplaySubject<Leader | undefined>, wanted: (leader: Leader | undefined) => boolean): Promise<Leader> {
  const leader = await firstValueFrom(leaders$.pipe(filter(wanted), take(1), timeout(15_000)));
  if (leader === undefined) throw new Error('nobody leads');
  return leader;
}

function start(name: string, args: readonly string[], hear?: (message: Message) => void): ChildProcess {
  const child = fork(fileURLToPath(new URL(`./${name}.js`, import.meta.url)), [...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  children.push(child);
  if (hear !== undefined) child.on('message', hear);
  return child;
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const code = await new Promise<number | null>(done => child.once('exit', done));
  if (code !== 0) throw new Error(`the editor ended with ${code}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function argumentsOf(args: readonly string[]): { file: string; url: string | undefined } {
  const isUrl = (argument: string): boolean => /^[a-z][a-z0-9+.-]+:/i.test(argument);
  const url = args.find(isUrl);
  const named = args.find(argument => !isUrl(argument));
  return { file: resolve(named ?? 'package-lock.json'), url };
}

async function temporaryFolder(): Promise<string> {
  // Below an ignored folder of the checkout: nothing is left elsewhere even when this process is killed.
  await mkdir('.cache', { recursive: true });
  return mkdtemp('.cache/demo-store-');
}

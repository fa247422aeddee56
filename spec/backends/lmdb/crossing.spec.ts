/** Those who open a folder and those who write to it, who must not be at it together: LMDB would undo what is written. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Crossing } from '../../../src/backends/lmdb/crossing.js';
import { lmdb } from '../../../src/backends/lmdb/index.js';
import { quietFor, settles, until } from '../../../src/conformance/waiting.js';
import { createStore, type KvError, text } from '../../../src/index.js';
import { Folders } from './folders.js';
import { Processes } from './processes.js';

const folders = new Folders();
const processes = new Processes();
afterEach(async () => {
  await processes.end();
  folders.end();
});

/** What an open or a write is held up by until it is let go. */
function gate(): { readonly begun: Promise<void>; readonly work: () => Promise<void>; letGo(): void } {
  let begin = (): void => {};
  let letGo = (): void => {};
  const begun = new Promise<void>(resolve => (begin = resolve));
  const gone = new Promise<void>(resolve => (letGo = resolve));
  const work = (): Promise<void> => {
    begin();
    return gone;
  };
  return { begun, work, letGo: () => letGo() };
}

function marks(path: string): string[] {
  return readdirSync(join(path, 'marks')).map(name => name.split('.')[0] as string);
}

describe('a crossing', () => {
  test('who opens waits for a write under way, and who writes then waits for the opening', async () => {
    const path = folders.fresh();
    const [writer, opener] = [new Crossing(path), new Crossing(path)];
    const order: string[] = [];
    const first = gate();
    const writing = writer.write(first.work).then(() => order.push('written'));
    await first.begun;
    const second = gate();
    const opening = opener.open(second.work).then(() => order.push('opened'));
    await until(() => marks(path).includes('opening'), 'the opening to be told');
    const later = writer.write(async () => void order.push('written later'));
    first.letGo();
    await second.begun;
    expect(order).toEqual(['written']);
    expect(marks(path).sort()).toEqual(['idle', 'opening']);
    second.letGo();
    await Promise.all([writing, opening, later]);
    expect(order).toEqual(['written', 'opened', 'written later']);
    writer.end();
    opener.end();
    expect(marks(path)).toEqual([]);
  });

  test('who waits for an opening does not hide that another write of the same store is under way', async () => {
    const path = folders.fresh();
    const [writer, opener] = [new Crossing(path), new Crossing(path)];
    const [slow, opened] = [gate(), gate()];
    const writing = writer.write(slow.work);
    await slow.begun;
    const opening = opener.open(opened.work);
    const order: string[] = [];
    void opened.begun.then(() => order.push('opening'));
    const later = writer.write(async () => void order.push('later'));
    await until(() => marks(path).includes('opening'), 'the opening to be told');
    await settles(new Promise(resolve => setImmediate(resolve)), 'a turn');
    expect([order, marks(path).sort()]).toEqual([[], ['opening', 'writing']]);
    slow.letGo();
    await opened.begun;
    opened.letGo();
    await Promise.all([writing, opening, later]);
    expect(order).toEqual(['opening', 'later']);
  });

  test('a mark that a dead process left, or one whose id another has by now, holds up nobody, and is removed', async () => {
    const path = folders.fresh();
    const dead = processes.start('opener.mjs', { path: folders.fresh() });
    await dead.next('opened');
    await dead.kill();
    mkdirSync(join(path, 'marks'));
    for (const state of ['opening', 'writing']) {
      for (const who of [`${dead.pid}.1.0.1`, `${process.pid}.1.0.1`]) writeFileSync(join(path, 'marks', `${state}.${who}`), '');
    }
    const crossing = new Crossing(path);
    expect(
      await settles(
        crossing.open(async () => 'opened'),
        'the opening',
      ),
    ).toBe('opened');
    expect(
      await settles(
        crossing.write(async () => 'written'),
        'the write',
      ),
    ).toBe('written');
    expect(marks(path)).toEqual(['writing']);
  });

  test("a writer that is stopped is in nobody's way, and still is one once it goes on", async () => {
    const path = folders.fresh();
    const other = processes.start('opener.mjs', { path: folders.fresh() });
    await other.next('opened');
    const start = readFileSync(`/proc/${other.pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[19];
    mkdirSync(join(path, 'marks'));
    writeFileSync(join(path, 'marks', `writing.${other.pid}.${start}.0.1`), '');
    other.signal('SIGSTOP');
    const crossing = new Crossing(path);
    await until(async () => (await crossing.open(async () => 'opened').catch(() => undefined)) === 'opened', 'the opening');
    other.signal('SIGCONT');
    await until(
      () =>
        crossing
          .open(async () => undefined)
          .then(
            () => false,
            () => true,
          ),
      'the writer to be waited for again',
    );
    crossing.end();
  });

  test('a writer that does not get done is an error that names it, and not waited for any longer', async () => {
    const path = folders.fresh();
    const stuck = gate();
    const writing = new Crossing(path).write(stuck.work);
    const error = await new Crossing(path).open(async () => undefined).catch((reason: unknown) => reason as KvError);
    expect(error).toMatchObject({ code: 'unavailable', transient: true, backend: 'lmdb' });
    expect((error as KvError).message).toContain(`while process ${process.pid} writes to it`);
    expect(marks(path).sort()).toEqual(['idle', 'writing']);
    stuck.letGo();
    await writing;
  });

  test('a folder that is removed while it is open ends no process, and is not made again', async () => {
    const path = folders.fresh();
    const crossing = new Crossing(path);
    await crossing.write(async () => undefined);
    renameSync(path, `${path}-gone`);
    await quietFor(50, 'it is told by and by that the write is over');
    expect(await crossing.write(async () => 'written')).toBe('written');
    crossing.end();
    expect(existsSync(path)).toBe(false);
    rmSync(`${path}-gone`, { recursive: true });
  });
});

test('a put waits while somebody opens the folder, and a store opens once nobody writes', async () => {
  const path = folders.fresh();
  await using store = createStore(lmdb({ path }));
  await store.put('k', '1');
  const other = new Crossing(path);
  const [opening, writing] = [gate(), gate()];
  const opened = other.open(opening.work);
  await opening.begun;
  const order: string[] = [];
  const put = store.put('k', '2').then(() => order.push('put'));
  await quietFor(20, 'the put must not go on while the folder is being opened');
  expect([order, text(await store.get('k'))]).toEqual([[], '1']);
  order.push('opened');
  opening.letGo();
  await Promise.all([opened, put]);
  const written = other.write(writing.work);
  await writing.begun;
  const process = processes.start('opener.mjs', { path });
  await until(() => marks(path).includes('opening'), 'the process to wait');
  expect(process.lines).toEqual([]);
  writing.letGo();
  await written;
  await process.next('opened');
  expect(order).toEqual(['opened', 'put']);
  other.end();
});

test('no acknowledged write is lost while other processes open and close the folder as fast as they can', async () => {
  const path = folders.fresh();
  await using store = createStore(lmdb({ path }));
  await store.put('count', '0');
  const openers = [0, 1].map(() => processes.start('opener.mjs', { path }));
  const opened = (): number => openers.reduce((sum, { lines }) => sum + lines.length, 0);
  for (let count = 1; count <= 500 || opened() < 300; count++) {
    await Promise.all([store.put('count', String(count)), store.put(`also/${count % 7}`, String(count))]);
    expect([text(await store.get('count')), text(await store.get(`also/${count % 7}`))]).toEqual([String(count), String(count)]);
  }
}, 120_000);

test('two stores of a process on one folder have it open once, and the last to close closes it', async () => {
  const path = folders.fresh();
  const [first, second] = [createStore(lmdb({ path, root: 'a' })), createStore(lmdb({ path, root: 'b' }))];
  await Promise.all([first.put('k', '1'), second.put('k', '2')]);
  expect(second.native).toBe(first.native);
  await first.close();
  expect(text(await second.get('k'))).toBe('2');
  await second.put('k', '3');
  await second.close();
  await using third = createStore(lmdb({ path, root: 'b' }));
  expect(text(await third.get('k'))).toBe('3');
  expect(third.native).not.toBe(second.native);
});

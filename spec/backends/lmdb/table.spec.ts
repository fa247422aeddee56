import { once } from 'node:events';
import { mkdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { refused, until } from '../../../src/conformance/waiting.js';
import type { Batch, View } from '../../../src/backends/local/table.js';
import { Folders } from './folders.js';
import { claimFor, contents, faults, fillWithOldSchema, intrude, put, putting, Tables, text, utf8 } from './tables.js';

const folders = new Folders();
const tables = new Tables();
afterEach(async () => {
  await tables.end();
  folders.end();
});

describe('a commit to an LMDB table', () => {
  test('that prepares nothing writes nothing', async () => {
    const table = await tables.open(folders.fresh());
    await table.commit(() => undefined);
    await table.commit(() => ({ writes: [], log: [] }));
    expect(table.view().head).toBe(0);
  });

  test('rejects with what its preparation throws, and nothing of it is written (P6)', async () => {
    const table = await tables.open(folders.fresh());
    const reason = new Error('the reason');
    await expect(
      table.commit(() => {
        throw reason;
      }),
    ).rejects.toBe(reason);
    const gap = (view: View): Batch => ({
      writes: [{ put: { key: 'a', value: utf8('1'), revision: 5, created: 5, expires: 0, session: '' }, before: undefined }],
      log: [{ revision: view.head + 2, changes: [{ put: 'a' }] }],
    });
    await refused(() => table.commit(gap), 'internal', 'a revision that cannot follow');
    expect([table.view().head, contents(table.view())]).toEqual([0, []]);
  });

  test('is seen by a view in the same turn, whoever wrote it', async () => {
    const folder = folders.fresh();
    const [one, other] = [await tables.open(folder), await tables.open(folder)];
    for (let i = 1; i <= 20; i++) {
      await put(i % 2 === 0 ? one : other, { a: `${i}` });
      expect([contents(one.view()), contents(other.view())]).toEqual([[`a=${i}`], [`a=${i}`]]);
    }
  });

  test('is decided anew when a session was written in between, though the revision stands', async () => {
    const table = await tables.open(folders.fresh());
    const seen: boolean[] = [];
    await table.commit(view => {
      seen.push(view.session('one') !== undefined);
      if (seen.length === 1) intrude(table, { id: 'one', ttl: 1, deadline: 1, boot: '' });
      return putting(view, 'a', String(seen.at(-1)));
    });
    expect([seen, contents(table.view())]).toEqual([[false, true], ['a=true']]);
  });

  test('that loses every race takes the lock, and is decided under it', async () => {
    const table = await tables.open(folders.fresh());
    let runs = 0;
    await table.commit(view => {
      if (++runs <= 6) intrude(table);
      return putting(view, 'a', `${runs}`);
    });
    expect([runs, contents(table.view()), table.view().head]).toEqual([7, ['a=7'], 1]);
    expect(faults(table)).toEqual([]);
  });

  test('that is refused under the lock leaves nothing', async () => {
    const table = await tables.open(folders.fresh());
    const refusal = new Error('refused at last');
    let runs = 0;
    await expect(
      table.commit(view => {
        if (++runs > 6) throw refusal;
        intrude(table);
        return putting(view, 'a', '1');
      }),
    ).rejects.toBe(refusal);
    expect([runs, contents(table.view())]).toEqual([7, []]);
    await put(table, { b: '1' });
    expect(faults(table)).toEqual([]);
  });
});

describe('a folder of an LMDB table', () => {
  test('is made for its owner only, and may have a dot in its name (P11)', async () => {
    const folder = join(folders.fresh(), 'deep', 'app.v1.db');
    const table = await tables.open(folder);
    await put(table, { a: '1' });
    expect(statSync(folder).isDirectory()).toBe(true);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'data.mdb')).size).toBeGreaterThan(0);
  });

  test('is one store by whatever path it is opened, and closing one table leaves the others working', async () => {
    const folder = folders.fresh();
    mkdirSync(join(folder, 'real'));
    symlinkSync(join(folder, 'real'), join(folder, 'link'));
    const [one, other] = [await tables.open(join(folder, 'real')), await tables.open(join(folder, 'link'))];
    await Promise.all(Array.from({ length: 50 }, (_, i) => put(i % 2 === 0 ? one : other, { [`k${i}`]: 'v' })));
    expect(contents(one.view())).toEqual(contents(other.view()));
    expect([one.view().head, contents(one.view()).length]).toEqual([50, 50]);
    await one.close();
    await put(other, { after: '1' });
    expect(other.view().row('after')?.revision).toBe(51);
    const again = await tables.open(join(folder, 'real'));
    expect(faults(again)).toEqual([]);
  });

  test('is shared with a worker thread, also with one that is terminated while it writes', async () => {
    const folder = folders.fresh();
    const table = await tables.open(folder);
    const worker = new Worker(new URL('writer.mjs', import.meta.url), {
      argv: [JSON.stringify({ path: folder, keys: 10, inFlight: 20, name: 'worker' })],
      stdin: true,
      stdout: true,
    });
    await until(() => table.view().head > 200, 'the worker to write');
    await put(table, { mine: '1' });
    expect(table.view().row('mine')).toBeDefined();
    await Promise.all([worker.terminate(), once(worker, 'exit')]);
    await put(table, { mine: '2' });
    expect(text(table.view().row('mine')?.value as Uint8Array)).toBe('2');
    expect(faults(table)).toEqual([]);
  });

  test('of a newer schema is refused in words, and left as it is', async () => {
    const folder = folders.fresh();
    const table = await tables.open(folder);
    await put(table, { a: '1' });
    await claimFor(table, 3);
    await table.close();
    const error = await refused(() => tables.open(folder), 'unsupported', 'a newer schema');
    expect(error.message).toContain(folder);
    expect(error.message).toContain('schema 3,');
  });

  test('of an older schema is refused in words, and left as it is', async () => {
    const folder = folders.fresh();
    await fillWithOldSchema(folder);
    const error = await refused(() => tables.open(folder), 'unsupported', 'an older schema');
    expect(error.message).toBe(
      `${folder} was written by an older version of rxkv (schema 1, this one knows 2): export it with that version, and import that into a new folder`,
    );
    await refused(() => tables.open(folder), 'unsupported', 'an older schema, once more');
  });
});

describe('a closed LMDB table', () => {
  test('refuses every call with closed; closing again is harmless', async () => {
    const table = await tables.open(folders.fresh());
    const written = put(table, { a: '1' });
    await written;
    await Promise.all([table.close(), table.close()]);
    expect(() => table.view()).toThrow(expect.objectContaining({ code: 'closed' }));
    await refused(() => put(table, { b: '1' }), 'closed', 'a commit after close');
    await refused(() => table.compact(), 'closed', 'compact after close');
  });

  test('has written what was under way, for whoever opens it next', async () => {
    const folder = folders.fresh();
    const table = await tables.open(folder);
    const writing = put(table, { a: '1' });
    await table.close();
    await writing;
    expect(contents((await tables.open(folder)).view())).toEqual(['a=1']);
  });
});

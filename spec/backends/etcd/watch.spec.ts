/** A watch: which revision it asks for next, whatever it has been told. */
import { Observable } from 'rxjs';
import { expect, test } from 'vitest';
import { Watch, type WatchMessage } from '../../../src/backends/etcd/watch.js';
import type { WatchEvent, WatchResponse } from '../../../src/backends/etcd/wire.js';

function watched(next: bigint): { readonly watch: Watch; readonly said: WatchMessage[]; next: () => unknown } {
  const said: WatchMessage[] = [];
  let watch: Watch | undefined;
  new Observable<WatchMessage>(subscriber => {
    watch = new Watch('1', { key: Buffer.from('k') }, next, subscriber);
  }).subscribe(message => said.push(message));
  if (watch === undefined) throw new Error('no watch');
  const made = watch;
  const wanted = (): unknown => (made.request() as { create_request: { start_revision: string } }).create_request.start_revision;
  return { watch, said, next: wanted };
}

const event = (revision: number): WatchEvent => ({
  type: 'Put',
  kv: { key: Buffer.from('k'), value: Buffer.alloc(0), create_revision: '1', mod_revision: String(revision), lease: '0' },
});

/** At a server that is far ahead of what it tells. */
function response(events: readonly WatchEvent[], { fragment = false, head = 9000 } = {}): WatchResponse {
  const header = { cluster_id: '1', member_id: '1', revision: String(head) };
  return { header, watch_id: '1', created: false, canceled: false, compact_revision: '0', cancel_reason: '', fragment, events };
}

test('after events it asks for what follows the last of them, not for what follows the head of the server', () => {
  const { watch, next, said } = watched(2n);
  watch.accepted('9000');
  expect(next()).toBe('2');
  watch.heard(response([event(5), event(7)]));
  expect(next()).toBe('8');
  expect(said.map(({ type }) => type)).toEqual(['ready', 'events']);
});

test('a notice of progress moves it to the head', () => {
  const { watch, next, said } = watched(2n);
  watch.heard(response([], { head: 20 }));
  expect(next()).toBe('21');
  expect(said).toEqual([{ type: 'progress', revision: 20n }]);
});

test('fragments are nothing until they are whole, and are asked for again after a cut', () => {
  const { watch, next, said } = watched(2n);
  watch.heard(response([event(5)], { fragment: true }));
  expect([said, next()]).toEqual([[], '2']);
  // A new server tells all of it.
  watch.heard(response([event(5)], { fragment: true }));
  watch.heard(response([event(5)]));
  expect(said).toEqual([{ type: 'events', events: [event(5), event(5)], revision: 5n }]);
  expect(next()).toBe('6');
});

test('what was seen already is not said again', () => {
  const { watch, said } = watched(10n);
  watch.heard(response([event(9)]));
  watch.heard(response([], { head: 8 }));
  expect(said).toEqual([]);
});

test('a sign of life counts only while the server has it', () => {
  const { watch, said } = watched(2n);
  watch.alive();
  watch.accepted('5');
  watch.alive();
  watch.left();
  watch.alive();
  expect(said.map(({ type }) => type)).toEqual(['ready', 'alive']);
});

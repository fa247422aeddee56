/** Foreign records: left out, and not in silence. */
import { expect, test } from 'vitest';
import { Foreign } from '../src/foreign.js';

function counting(what?: string): { readonly foreign: Foreign; readonly told: unknown[] } {
  const told: unknown[] = [];
  return { foreign: new Foreign('etcd', { warn: (message, detail) => told.push([message, detail]) }, what), told };
}

test('the first is told of, each is counted once, and health has a warning that says how many', () => {
  const { foreign, told } = counting();
  expect(foreign.warnings).toEqual([]);
  for (const key of ['a//b', 'a//b']) foreign.note(key);
  expect(foreign.warnings).toEqual(['1 record below the root is no valid key and left out']);
  foreign.note('/c');
  expect([foreign.count, foreign.warnings]).toEqual([2, ['2 records below the root are no valid key and left out']]);
  expect(told).toEqual([['etcd: records below the root that are no valid key are left out', { first: 'a//b' }]]);
});

test('those that look alike are counted by their names', () => {
  const { foreign, told } = counting('no valid key, or no string,');
  for (const name of ['\\xfe', '\\xff']) foreign.note('\ufffd', name);
  expect(foreign.warnings).toEqual(['2 records below the root are no valid key, or no string, and left out']);
  expect(told).toEqual([['etcd: records below the root that are no valid key, or no string, are left out', { first: '\ufffd' }]]);
});

test('of very many no more than 1000 are remembered', () => {
  const { foreign } = counting();
  for (let i = 0; i < 1500; i++) foreign.note(`/${i}`);
  expect(foreign.count).toBe(1000);
});

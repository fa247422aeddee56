/** Selections of the suite: what they list, and that a name it does not have is no test left out in silence. */
import { expect, test } from 'vitest';
import { memory } from '../../src/backends/memory/index.js';
import { conformance, type Selection } from '../../src/conformance/index.js';
import { everydaySubset } from './matrix.js';

function titles(selection?: Selection): string[] {
  const listed: string[] = [];
  const list = (name: string): number => listed.push(name);
  conformance(
    { test: Object.assign(list, { skip: list }), expect },
    { name: 'memory', connect: ({ root }) => memory({ root }) },
    selection,
  );
  return listed;
}

test('without a selection all of it is listed, in all three ways', () => {
  const all = titles();
  expect(all.length).toBeGreaterThan(600);
  expect(new Set(all.map(title => title.split(' › ')[1]))).toEqual(new Set(['bare', 'through a view', 'on two connections']));
});

test('a topic, a promise and a way select what they name, and nothing else', () => {
  const empty = 'watching › an empty value is an entry, not an absence';
  expect(titles({ only: [empty], ways: ['bare'] })).toEqual([`memory › bare › ${empty}`]);
  const listed = titles({ only: ['updating', empty] });
  expect(new Set(listed.map(title => title.split(' › ')[2]))).toEqual(new Set(['updating', 'watching']));
  expect(listed.filter(title => title.endsWith(empty)).length).toBe(3);
});

test('a name that the suite does not have, or not in these ways, is an error', () => {
  expect(() => titles({ only: ['watching', 'wathcing'] })).toThrow('the suite has no "wathcing"');
  expect(() => titles({ only: ['watching › no such promise'] })).toThrow('no such promise');
  const twoConnections = 'locking › a held lock outlives its ttl';
  expect(() => titles({ only: [twoConnections], ways: ['bare'] })).toThrow(twoConnections);
  expect(() => titles({ ways: ['sideways' as 'bare'] })).toThrow('the suite is not run "sideways"');
});

test('the subset of an everyday run is a small part of it, faults and locks included', () => {
  const subset = titles(everydaySubset);
  expect(subset.length).toBeLessThan(titles().length / 8);
  for (const topic of ['faults', 'sessions', 'queueing', 'compare-and-set', 'tree-watching'])
    expect(subset.some(title => title.includes(`› ${topic} ›`))).toBe(true);
});

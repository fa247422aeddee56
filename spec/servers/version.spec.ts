import { expect, test } from 'vitest';
import { versionIn, within } from './version.js';

test.each([
  ['etcd Version: 3.5.16\nGit SHA: 1234567\nGo Version: go1.24.4', '3.5.16'],
  ['Consul v1.8.7\nProtocol 2 spoken by default', '1.8.7'],
  ['Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0', '7.0.15'],
  ['openjdk version "17.0.15" 2025-04-15', '17.0.15'],
  ['openjdk version "21" 2023-09-19', '21'],
  ['command not found', undefined],
])('the version in %j is %s', (words, version) => {
  expect(versionIn(words)).toBe(version);
});

test.each([
  ['3.5.16', '3.5', '4', true],
  ['3.5', '3.5', '4', true],
  ['3.4.99', '3.5', '4', false],
  ['3.10.0', '3.5', '4', true],
  ['4.0', '3.5', '4', false],
  ['21', '11', '99', true],
])('%s from %s and below %s: %s', (version, from, below, fits) => {
  expect(within(version, from, below)).toBe(fits);
});

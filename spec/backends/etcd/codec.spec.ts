/** Transactions of ours as etcd's, and its answers as ours. */
import { expect, test } from 'vitest';
import { failedOf, resultsOf, transactionOf } from '../../../src/backends/etcd/codec.js';
import { Keyspace } from '../../../src/backends/etcd/keyspace.js';
import type { Kv } from '../../../src/backends/etcd/wire.js';
import type { DriverCheck } from '../../../src/driver.js';
import { Foreign } from '../../../src/foreign.js';
import { silent } from '../../../src/logger.js';

const keyspace = new Keyspace('app/', new Foreign('etcd', silent));
const value = new Uint8Array([1]);
const key = (name: string): Buffer => Buffer.from(`app/${name}`);
const kv = (name: string, created: number, revision: number, lease = '0'): Kv => ({
  key: key(name),
  value: Buffer.from(value),
  create_revision: String(created),
  mod_revision: String(revision),
  lease,
});
const entry = (name: string, revision: bigint): DriverCheck => ({
  key: name,
  entry: { key: name, value, revision, created: 1n, leased: false },
});
const grant: DriverCheck = { held: { key: '~rxkv/job/1-1', fence: 7n, session: { id: '1', ttl: 1, remaining: () => 1 } } };

test('a check compares the revision, the absence, or the record of a lock, and what stands there comes with the refusal', () => {
  const { compare, failure } = transactionOf(keyspace, [entry('a', 5n), { key: 'b', entry: undefined }, grant], []);
  expect(compare).toEqual([
    { key: key('a'), target: 'Mod', result: 'Equal', mod_revision: '5' },
    { key: key('b'), target: 'Create', result: 'Equal', create_revision: '0' },
    { key: key('~rxkv/job/1-1'), target: 'Create', result: 'Equal', create_revision: '7' },
  ]);
  expect(failure.map(op => ('request_range' in op ? op.request_range.key : undefined))).toEqual([key('a'), key('b'), key('~rxkv/job/1-1')]);
});

test('of a refused transaction only the checks that failed are told, each with what stands there', () => {
  const checks = [entry('a', 5n), { key: 'b', entry: undefined }, entry('c', 5n), grant];
  const found = [kv('a', 1, 5), kv('b', 3, 3), undefined, kv('~rxkv/job/1-1', 9, 9)];
  const header = { cluster_id: '1', member_id: '1', revision: '9' };
  const responses = found.map(each => ({ response_range: { header, kvs: each === undefined ? [] : [each], more: false, count: '0' } }));
  const failed = failedOf(checks, responses);
  expect(failed.map(check => [check.key, check.current?.revision])).toEqual([
    ['b', 3n],
    ['c', undefined],
    ['~rxkv/job/1-1', 9n],
  ]);
});

test('a put that keeps its lease is one only where there is a key: etcd refuses it otherwise', () => {
  const [op] = transactionOf(keyspace, [], [{ op: { put: 'a', value, ttl: 'keep' } }]).success;
  expect(op).toEqual({
    request_txn: {
      compare: [{ key: key('a'), target: 'Create', result: 'Greater', create_revision: '0' }],
      success: [{ request_put: { key: key('a'), value, prev_kv: true, ignore_lease: true } }],
      failure: [{ request_put: { key: key('a'), value, prev_kv: true } }],
    },
  });
});

test('answers go to the ops that they belong to: a deleteTree of the root has two, around our own records', () => {
  const ops = [{ op: { deletePrefix: '' } }, { op: { put: 'a', value }, lease: '5' }, { op: { delete: 'b' } }];
  expect(transactionOf(keyspace, [], ops).success.length).toBe(4);
  const header = { cluster_id: '1', member_id: '1', revision: '0' };
  const deleted = (count: string): { response_delete_range: { header: typeof header; deleted: string } } => ({
    response_delete_range: { header, deleted: count },
  });
  const put = { response_put: { header, prev_kv: kv('a', 3, 4) } };
  expect(resultsOf(ops, [deleted('0'), deleted('2'), put, deleted('0')], '12')).toEqual([
    { existed: true },
    { entry: { key: 'a', value, revision: 12n, created: 3n, leased: true } },
    { existed: false },
  ]);
});

test('what a put made is as old as its transaction, and leased where it has or keeps a lease', () => {
  const header = { cluster_id: '1', member_id: '1', revision: '0' };
  const kept = { put: 'a', value, ttl: 'keep' as const };
  const answer = (before: Kv | null): { response_txn: object } => ({
    response_txn: { header, succeeded: before !== null, responses: [{ response_put: { header, prev_kv: before } }] },
  });
  const leasedOf = (before: Kv | null): unknown => resultsOf([{ op: kept }], [answer(before) as never], '12')[0]?.entry;
  expect(leasedOf(null)).toMatchObject({ revision: 12n, created: 12n, leased: false });
  expect(leasedOf(kv('a', 3, 4))).toMatchObject({ created: 3n, leased: false });
  expect(leasedOf(kv('a', 3, 4, '9'))).toMatchObject({ created: 3n, leased: true });
});

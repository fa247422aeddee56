/** Actions: what a run of the store model may do, as plain data that a failure prints. */
import { fc } from '@fast-check/vitest';
import type { Previous } from './model.js';

export type Ttl = number | 'keep' | undefined;

export type OpAction =
  | { readonly put: string; readonly value: string; readonly ttl: Ttl }
  | { readonly delete: string }
  | { readonly deleteTree: string };

/** `client` is one of two stores and two views of them; keys are as that client names them. */
export type Action =
  | { readonly does: 'get' | 'exists' | 'delete'; readonly client: number; readonly key: string }
  | { readonly does: 'list'; readonly client: number; readonly directory: string; readonly depth: number | undefined }
  | { readonly does: 'children' | 'deleteTree'; readonly client: number; readonly directory: string }
  | { readonly does: 'put'; readonly client: number; readonly key: string; readonly value: string; readonly ttl: Ttl }
  | {
      readonly does: 'atomicPut';
      readonly client: number;
      readonly key: string;
      readonly value: string;
      readonly ttl: Ttl;
      readonly previous: Previous;
    }
  | { readonly does: 'atomicDelete'; readonly client: number; readonly key: string; readonly previous: Previous }
  | { readonly does: 'update'; readonly client: number; readonly key: string; readonly to: string | undefined; readonly ttl: Ttl }
  | {
      readonly does: 'transaction';
      readonly client: number;
      readonly checks: readonly { readonly key: string; readonly previous: Previous }[];
      readonly ops: readonly OpAction[];
    }
  | { readonly does: 'watch'; readonly client: number; readonly key: string }
  | { readonly does: 'watchTree'; readonly client: number; readonly directory: string; readonly depth: number | undefined }
  | { readonly does: 'unwatch'; readonly nth: number }
  | { readonly does: 'keepAlive'; readonly client: number; readonly key: string; readonly value: string }
  | { readonly does: 'endKeepAlive'; readonly nth: number }
  | { readonly does: 'cut' | 'hang' | 'heal'; readonly store: number | undefined }
  | { readonly does: 'compact' | 'expireSessions' }
  | { readonly does: 'wait'; readonly ms: number };

const client = fc.nat({ max: 3 });
const key = fc.constantFrom('a', 'ab', 'b', 'a/b', 'a/b/c', 'a/c', 'a-b/c', '～', '😀');
const directory = fc.constantFrom('', 'a', 'a/b', 'ab', 'a-b', 'none');
const depth = fc.constantFrom(undefined, undefined, 1, 2);
const value = fc.constantFrom('', '1', '2', '3');
const previous = fc.constantFrom<Previous>('absent', 'current', 'current', 'stale');

function callsWith(ttl: fc.Arbitrary<Ttl>): fc.Arbitrary<Action>[] {
  const op: fc.Arbitrary<OpAction> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ put: key, value, ttl }) },
    fc.record({ delete: key }),
    fc.record({ deleteTree: fc.constantFrom('a', 'a/b', 'a-b') }),
  );
  const checks = fc.uniqueArray(fc.record({ key, previous }), { selector: check => check.key, maxLength: 2 });
  return [
    fc.record({ does: fc.constantFrom('get', 'exists', 'delete'), client, key }),
    fc.record({ does: fc.constant('list'), client, directory, depth }),
    fc.record({ does: fc.constantFrom('children', 'deleteTree'), client, directory }),
    fc.record({ does: fc.constant('put'), client, key, value, ttl }),
    fc.record({ does: fc.constant('put'), client, key, value, ttl }),
    fc.record({ does: fc.constant('atomicPut'), client, key, value, ttl, previous }),
    fc.record({ does: fc.constant('atomicDelete'), client, key, previous }),
    fc.record({ does: fc.constant('update'), client, key, to: fc.oneof({ weight: 4, arbitrary: value }, fc.constant(undefined)), ttl }),
    fc.record({ does: fc.constant('transaction'), client, checks, ops: fc.array(op, { minLength: 1, maxLength: 4, size: 'max' }) }),
    fc.record({ does: fc.constant('watchTree'), client, directory, depth }),
    fc.record({ does: fc.constant('watch'), client, key }),
    fc.record({ does: fc.constant('unwatch'), nth: fc.nat({ max: 9 }) }),
  ];
}

/** Everything, with faults and time. */
export const inWorld: fc.Arbitrary<Action>[] = [
  ...callsWith(fc.oneof(fc.constantFrom<Ttl>(undefined, 'keep'), fc.integer({ min: 1, max: 3000 }))),
  fc.record({ does: fc.constant('keepAlive'), client, key, value }),
  fc.record({ does: fc.constant('endKeepAlive'), nth: fc.nat({ max: 9 }) }),
  fc.record({ does: fc.constantFrom('cut', 'heal', 'hang', 'heal'), store: fc.constantFrom(undefined, 0, 1) }),
  fc.record({ does: fc.constantFrom('compact', 'expireSessions') }),
  fc.record({ does: fc.constant('wait'), ms: fc.integer({ min: 1, max: 3000 }) }),
];

/** What needs neither faults nor a clock that can be set. */
export const anywhere: fc.Arbitrary<Action>[] = callsWith(fc.constantFrom<Ttl>(undefined, 'keep'));

/** Calls of the store model: how each is made, and what the model says that it answers. */
import { expect } from 'vitest';
import type { Entry } from '../../src/entry.js';
import type { Check, Op, Store } from '../../src/interface.js';
import type { Action, OpAction, Ttl } from './actions.js';
import { type Cell, type Model, type Previous, shown, textOf } from './model.js';

/** One of the stores, or a view of it. */
export interface Client {
  readonly store: Store;
  /** The directory of the view as a prefix. */
  readonly base: string;
  /** Which of the stores. */
  readonly of: number;
}

export interface Expected {
  readonly call: () => Promise<unknown>;
  readonly invalid: boolean;
  /** The keys whose checks fail. */
  readonly conflicts: readonly string[];
  readonly check: (result: unknown) => void;
}

function answers(call: () => Promise<unknown>, check: (result: unknown) => void): Expected {
  return { call, invalid: false, conflicts: [], check };
}

export class Calls {
  private readonly model: Model;

  constructor(model: Model) {
    this.model = model;
  }

  /** The call of an action, and what must come of it while the way is open. */
  expected(action: Extract<Action, { client: number }>, client: Client): Expected {
    const { store, base } = client;
    const { model } = this;
    const given = (key: string, kind: Previous): Entry | undefined => {
      const entry = model.previous(base + key, kind);
      return entry && { ...entry, key };
    };
    const failing = (key: string, previous: Entry | undefined): boolean => model.cell(base + key)?.entry.revision !== previous?.revision;
    const put =
      (key: string, value: string, ttl: Ttl): ((result: unknown) => void) =>
      result =>
        this.commit([{ put: key, value, ttl }], [result], client);
    switch (action.does) {
      case 'get':
        return answers(
          () => store.get(action.key),
          result => this.same(client, action.key, result),
        );
      case 'exists':
        return answers(
          () => store.exists(action.key),
          result => expect(result).toBe(model.cell(base + action.key) !== undefined),
        );
      case 'list': {
        const { directory, depth } = action;
        const wanted = shown(model.state, base + below(directory), base.length, depth);
        return answers(
          () => store.list(directory, depth === undefined ? {} : { depth }),
          result => expect(textOf(result as Iterable<Entry>)).toBe(textOf(wanted)),
        );
      }
      case 'children':
        return answers(
          () => store.children(action.directory),
          result => this.sameChildren(client, action.directory, result),
        );
      case 'put':
        return answers(() => store.put(action.key, action.value, ttlOf(action.ttl)), put(action.key, action.value, action.ttl));
      case 'delete': {
        const existed = model.cell(base + action.key) !== undefined;
        return answers(
          () => store.delete(action.key),
          result => {
            expect(result).toBe(existed);
            this.commit([{ delete: action.key }], [undefined], client);
          },
        );
      }
      case 'deleteTree':
        return answers(
          () => store.deleteTree(action.directory),
          () => this.commit([{ deleteTree: action.directory }], [undefined], client),
        );
      case 'atomicPut': {
        const previous = given(action.key, action.previous);
        return {
          ...answers(
            () => store.atomicPut(action.key, action.value, previous, ttlOf(action.ttl)),
            put(action.key, action.value, action.ttl),
          ),
          conflicts: failing(action.key, previous) ? [action.key] : [],
        };
      }
      case 'atomicDelete': {
        const previous = given(action.key, action.previous);
        return {
          ...answers(
            () => store.atomicDelete(action.key, previous as Entry),
            () => this.commit([{ delete: action.key }], [undefined], client),
          ),
          invalid: previous === undefined,
          conflicts: failing(action.key, previous) ? [action.key] : [],
        };
      }
      case 'update': {
        const { key, to, ttl } = action;
        const cell = model.cell(base + key);
        const kept = to === undefined || (cell !== undefined && text(cell.entry) === to);
        return answers(
          () =>
            store.update(
              key,
              current => {
                this.same(client, key, current);
                return to;
              },
              ttlOf(ttl),
            ),
          result => (kept ? this.same(client, key, result) : put(key, to, ttl)(result)),
        );
      }
      case 'transaction': {
        const checks = action.checks.map(({ key, previous }): Check => ({ key, entry: given(key, previous) }));
        const ops = action.ops.map((op): Op => ('put' in op ? { put: op.put, value: op.value, ...ttlOf(op.ttl) } : op));
        return {
          ...answers(
            () => store.transaction({ checks, ops }),
            results => this.commit(action.ops, results as unknown[], client),
          ),
          invalid: overlap(action.ops),
          conflicts: action.checks.filter(({ key, previous }) => failing(key, given(key, previous))).map(({ key }) => key),
        };
      }
      default:
        throw new Error(`no call: ${action.does}`);
    }
  }

  /** The ops have been carried out as one: checks their results and takes them over. */
  private commit(ops: readonly OpAction[], results: readonly unknown[], { base }: Client): void {
    const { model } = this;
    const changes = new Map<string, Cell | undefined>();
    let { revision } = model;
    expect(results).toHaveLength(ops.length);
    ops.forEach((op, i) => {
      if ('put' in op) {
        const key = base + op.put;
        const before = model.cell(key);
        const expires =
          op.ttl === 'keep' ? (before?.expires ?? Infinity) : op.ttl === undefined ? Infinity : Date.now() + Math.max(10, op.ttl);
        const session = op.ttl === 'keep' ? before?.session : undefined;
        const entry = results[i] as Entry;
        this.written(key, op.value, entry, expires !== Infinity || session !== undefined);
        expect(entry.key).toBe(op.put);
        revision = entry.revision;
        changes.set(key, { entry: { ...entry, key }, expires, ...(session === undefined ? {} : { session }) });
        return;
      }
      expect(results[i]).toBeUndefined();
      const gone =
        'delete' in op ? [base + op.delete].filter(key => model.cell(key) !== undefined) : model.below(base + below(op.deleteTree));
      for (const key of gone) changes.set(key, undefined);
    });
    model.revision = revision;
    if (changes.size > 0) model.commit(changes);
  }

  /** Holds the entry that a put returned against what was asked. */
  written(key: string, value: string, entry: Entry, leased: boolean): void {
    const before = this.model.cell(key);
    expect([text(entry), entry.leased]).toEqual([value, leased]);
    expect(entry.revision).toBeGreaterThan(this.model.revision);
    expect(entry.created).toBe(before?.entry.created ?? entry.revision);
  }

  private same(client: Client, key: string, result: unknown): void {
    expect(textOf(result === undefined ? [] : [result as Entry])).toBe(this.seen(client, key));
    expect((result as Entry | undefined)?.created).toBe(this.model.cell(client.base + key)?.entry.created);
  }

  private sameChildren({ base }: Client, directory: string, result: unknown): void {
    const prefix = base + below(directory);
    const entries = shown(this.model.state, prefix, prefix.length);
    const names = [...new Set(entries.map(({ key }) => key.split('/')[0] as string))].sort((a, b) => (a < b ? -1 : 1));
    const children = result as { name: string; key: string; directory: boolean; entry?: Entry }[];
    expect(children.map(({ name, key, directory: deeper, entry }) => [name, key, deeper, entry && text(entry)])).toEqual(
      names.map(name => {
        const own = entries.find(({ key }) => key === name);
        return [name, below(directory) + name, entries.some(({ key }) => key.startsWith(`${name}/`)), own && text(own)];
      }),
    );
  }

  /** What the client sees of a key, as text. */
  seen({ base }: Client, key: string): string {
    const cell = this.model.cell(base + key);
    return textOf(cell === undefined ? [] : [{ ...cell.entry, key }]);
  }
}

/** A directory as a prefix. */
export function below(directory: string): string {
  return directory === '' ? '' : `${directory}/`;
}

export function text(entry: Entry): string {
  return new TextDecoder().decode(entry.value);
}

function ttlOf(ttl: Ttl): { ttl?: number | 'keep' } {
  return ttl === undefined ? {} : { ttl };
}

/** Whether the ops write a key twice, or inside of a deleteTree. */
function overlap(ops: readonly OpAction[]): boolean {
  const places = ops.map(op => ('put' in op ? op.put : 'delete' in op ? op.delete : `${op.deleteTree}/`));
  return places.some((place, i) =>
    places.some((other, j) => i !== j && (place === other || (other.endsWith('/') && place.startsWith(other)))),
  );
}

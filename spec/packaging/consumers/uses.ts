/** What users write, on every subpath: compiled for each module system that there is. */
import { firstValueFrom, type Observable } from 'rxjs';
import {
  createStore,
  diff,
  KvError,
  retryTransient,
  text,
  type Auth,
  type Snapshot,
  type Store,
  type TlsOptions,
  type TreeChange,
} from 'rxkv';
import * as conformance from 'rxkv/conformance';
import * as kit from 'rxkv/driver';
import type { Driver } from 'rxkv/driver';
import { consul } from 'rxkv/consul';
import { etcd } from 'rxkv/etcd';
import { lmdb } from 'rxkv/lmdb';
import { createWorld, memory } from 'rxkv/memory';
import { type Address, open } from 'rxkv/open';

export const drivers: Driver[] = [
  memory(),
  memory({ root: 'app', world: createWorld() }),
  lmdb({ path: 'data' }),
  etcd({ hosts: 'localhost' }),
  consul({ hosts: 'localhost', auth: { token: async () => 'token' } }),
];

export const store: Store = createStore(memory(), { timeout: 1000, logger: console });

export const changes$: Observable<TreeChange> = store.watchTree$('config').pipe(retryTransient(), diff());

export async function colour(): Promise<string | undefined> {
  await using lock = await store.lock('job', { ttl: 10_000 });
  try {
    const entry = await store.put('config/colour', 'blue', { lock });
    const snapshot: Snapshot = await firstValueFrom(store.watchTree$('config'));
    return text(snapshot.get(entry.key));
  } catch (error) {
    if (KvError.is(error) && error.code === 'conflict') return error.conflicts?.[0]?.key;
    throw error;
  }
}

export const access: { auth: Auth; tls: TlsOptions } = { auth: { username: 'me', password: 'secret' }, tls: { servername: 'etcd' } };

export const scheme = (address: Address): Driver => memory({ root: address.path });

export async function opened(): Promise<string> {
  await using other: Store = await open('memory:');
  return other.backend;
}

export const rooms: object[] = [conformance, kit];

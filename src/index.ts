/** One reactive interface to several key-value stores. */
export type { Auth, PasswordAuth, TokenAuth } from './auth.js';
export type { Capabilities } from './capabilities.js';
export { bytes, type Codec, json, type SyncCodec, utf8 } from './codec.js';
export type { Driver, Health } from './driver.js';
export type { Child, Entry, Value } from './entry.js';
export { type Conflict, KvError, type KvErrorCode } from './errors.js';
export type {
  CallOptions,
  Check,
  DeleteOptions,
  ElectOptions,
  HeldLock,
  Leader,
  Leadership,
  ListOptions,
  Lock,
  LockOptions,
  Op,
  ReadOptions,
  Status,
  Store,
  StoreOptions,
  WriteOptions,
} from './interface.js';
export type { Logger } from './logger.js';
export { mapKeys, type KeyMapping } from './map-keys.js';
export type { TreeChange, TreeDelta, DiffOptions, ModifiedBy } from './operators/change.js';
export { type Decoded, type DecodedChange, decode, type DecodeOptions } from './operators/decode.js';
export { deltas } from './operators/deltas.js';
export { diff } from './operators/diff.js';
export { type Retry, retryTransient, type RetryOptions } from './operators/retry-transient.js';
export { type SentDelta, toSnapshot } from './operators/to-snapshot.js';
export { whileHeld } from './operators/while-held.js';
export { whileLeading } from './operators/while-leading.js';
export type { Snapshot } from './snapshot.js';
export { createStore } from './store.js';
export { text } from './text.js';
export type { Pem, TlsOptions } from './tls.js';

/** For those who write a driver: its types, and the pieces that every driver needs. */
export type { Capabilities } from './capabilities.js';
export { type Coalescer, type CoalesceOptions, coalesce } from './coalesce.js';
export { aborted, Deadlines } from './deadline.js';
export type {
  Call,
  Change,
  Driver,
  DriverCheck,
  DriverContext,
  DriverOp,
  DriverTransaction,
  FailedCheck,
  Feed,
  Grant,
  Health,
  Holder,
  Listing,
  ListQuery,
  OpResult,
  Outcome,
  Range,
  Session,
} from './driver.js';
export { type Entry, sameBytes, sameEntry } from './entry.js';
export { asKvError, type Conflict, KvError, type KvErrorCode, type KvErrorDetail } from './errors.js';
export { byteLength, decodeSegment, encodeSegment, isKey, normaliseDirectory, normaliseKey, prefixEnd, reserved } from './key.js';
export { type Clock, keep$, type KeepOptions, Lease, type Moment, momentOf, systemClock } from './lease.js';
export { type Logger, silent } from './logger.js';
export { checkOptions } from './options.js';
export { createQueue, type Queue, type QueueOptions } from './queue.js';
export { type RootOptions, rootOf } from './root.js';
export { Sharing } from './sharing.js';

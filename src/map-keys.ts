/** Another key layout for a driver: every segment of a key is written in another way than users see it. */
import { map, type Observable } from 'rxjs';
import type { Change, Driver, DriverCheck, DriverOp, FailedCheck, Feed, Grant, Holder, Outcome, Range } from './driver.js';
import { type Entry, renamed } from './entry.js';
import { asKvError, KvError } from './errors.js';
import { isKey, reserved } from './key.js';
import { type Logger, silent } from './logger.js';

/** Both map one segment; joining is ours. `decode` undoes `encode`, and may throw for what is not of this layout. */
export interface KeyMapping {
  encode(segment: string): string;
  decode(segment: string): string;
}

/**
 * The same driver with keys laid out in another way. Records that `decode` throws for, or makes no valid key
 * of, are left out, and told once to the logger. The store's own records keep their place.
 *
 * The order of keys is that of what users see.
 *
 * A deleteTree takes along what is left out below that directory.
 *
 * @throws KvError `invalid` for what is no driver, and where the mapping is not two functions
 * @example
 * // keys in the store are upper case, those in the program lower case
 * createStore(mapKeys(lmdb({ path }), { encode: s => s.toUpperCase(), decode: s => s.toLowerCase() }));
 */
export function mapKeys(driver: Driver, mapping: KeyMapping): Driver {
  if (typeof driver?.commit !== 'function') throw new KvError('invalid', 'mapKeys needs a driver, such as memory() or lmdb({ path })');
  if (typeof mapping?.encode !== 'function' || typeof mapping.decode !== 'function') {
    throw new KvError('invalid', 'mapKeys needs { encode, decode }, each a function of one segment');
  }
  const layout = new Layout(mapping);
  const mapped: Driver = {
    name: driver.name,
    capabilities: driver.capabilities,
    get native() {
      return driver.native;
    },
    linger: driver.linger,
    local: driver.local,
    start: context => {
      layout.logger = context.logger;
      driver.start(context);
    },
    ready: call => driver.ready(call),
    list: async (query, call) => {
      const listing = await driver.list({ ...query, ...layout.range(query) }, call);
      return {
        ...listing,
        entries: layout.seenEntries(listing.entries),
        directories: listing.directories?.flatMap(key => layout.seenKeys(key)),
      };
    },
    commit: async ({ checks, ops }, call) =>
      layout.outcome(await driver.commit({ checks: checks.map(check => layout.check(check)), ops: ops.map(op => layout.op(op)) }, call)),
    feed$: (range, since) => driver.feed$(layout.range(range), since).pipe(map(message => layout.feed(message))),
    session$: ttl => driver.session$(ttl),
    health: call => driver.health(call),
    close: () => driver.close(),
  };
  const native = driver as Required<Driver>;
  if (driver.acquire$ !== undefined) {
    mapped.acquire$ = (session, key, value, behind): Observable<Grant> => native.acquire$(session, layout.key(key), value, behind);
  }
  if (driver.holder$ !== undefined) mapped.holder$ = (key): Observable<Holder | undefined> => native.holder$(layout.key(key));
  return mapped;
}

class Layout {
  logger: Logger = silent;
  private readonly mapping: KeyMapping;
  private warned = false;

  constructor(mapping: KeyMapping) {
    this.mapping = mapping;
  }

  key(key: string): string {
    return this.ours(key)
      ? key
      : key
          .split('/')
          .map(segment => this.encoded(segment))
          .join('/');
  }

  range(range: Range): Range {
    return 'key' in range ? { key: this.key(range.key) } : { prefix: this.prefix(range.prefix) };
  }

  op(op: DriverOp): DriverOp {
    if ('put' in op) return { ...op, put: this.key(op.put) };
    return 'delete' in op ? { delete: this.key(op.delete) } : { deletePrefix: this.prefix(op.deletePrefix) };
  }

  check(check: DriverCheck): DriverCheck {
    if ('held' in check) return check;
    const key = this.key(check.key);
    return { key, entry: check.entry && renamed(check.entry, key) };
  }

  outcome(outcome: Outcome): Outcome {
    if (!outcome.ok) return { ok: false, failed: outcome.failed.map(check => this.failed(check)) };
    return {
      ok: true,
      results: outcome.results.map(result =>
        result.entry === undefined ? result : { ...result, entry: this.seenEntries([result.entry])[0] ?? result.entry },
      ),
    };
  }

  feed(message: Feed): Feed {
    if (message.type === 'mark') return message;
    if (message.type === 'reset') return { ...message, entries: this.seenEntries(message.entries) };
    return { ...message, changes: message.changes.flatMap(change => this.change(change)) };
  }

  seenEntries(entries: readonly Entry[]): Entry[] {
    return entries.flatMap(entry => this.seenKeys(entry.key).map(key => renamed(entry, key)));
  }

  /** The key as users see it; none where it is not of this layout. */
  seenKeys(key: string): string[] {
    if (this.ours(key)) return [key];
    try {
      const seen = key
        .split('/')
        .map(segment => this.mapping.decode(segment))
        .join('/');
      if (isKey(seen) && this.key(seen) === key) return [seen];
    } catch {
      // Told below, as any record that is not of this layout.
    }
    if (!this.warned) this.logger.warn('records whose keys the mapping does not know are left out');
    this.warned = true;
    return [];
  }

  private change(change: Change): Change[] {
    if ('put' in change) return this.seenEntries([change.put]).map(put => ({ put }));
    if ('delete' in change) return this.seenKeys(change.delete).map(key => ({ delete: key }));
    const prefixes = change.replace === '' ? [''] : this.seenKeys(change.replace.slice(0, -1)).map(key => `${key}/`);
    return prefixes.map(replace => ({ replace, entries: this.seenEntries(change.entries) }));
  }

  private failed(check: FailedCheck): FailedCheck {
    const key = this.seenKeys(check.key)[0] ?? check.key;
    return 'current' in check ? { key, current: check.current && renamed(check.current, key) } : { key };
  }

  private prefix(prefix: string): string {
    return prefix === '' ? '' : `${this.key(prefix.slice(0, -1))}/`;
  }

  private ours(key: string): boolean {
    return key === reserved || key.startsWith(`${reserved}/`);
  }

  private encoded(segment: string): string {
    let encoded: string;
    try {
      encoded = this.mapping.encode(segment);
    } catch (error) {
      throw new KvError('invalid', 'the key mapping cannot encode a segment', { cause: asKvError(error) });
    }
    if (typeof encoded !== 'string' || encoded === '' || encoded.includes('/'))
      throw new KvError('invalid', 'the key mapping must encode a segment as one segment');
    return encoded;
  }
}

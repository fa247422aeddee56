/** What the watcher has seen: events as they come, how long they took, who leads. */
import type { Leader, TreeChange } from 'rxkv';
import { type Message, now } from './messages.js';
import { fitted, paint, say, width } from './screen.js';

/** ms to wait for what must come */
const patience = 15_000;

/** What has come by: events, their latency, and who leads. */
export class Seen {
  private readonly counts: Record<TreeChange['type'], number> = { added: 0, modified: 0, deleted: 0 };
  private readonly latencies: number[] = [];
  private readonly arrived: Map<string, number> = new Map();
  private readonly asked: Map<string, number> = new Map();
  private expected = Infinity;
  private wake: () => void = () => {};
  private readonly expiries: number;

  /** @param expiries how many keys will expire */
  constructor(expiries: number) {
    this.expiries = expiries;
  }

  change(change: TreeChange): void {
    this.counts[change.type]++;
    const { key, type } = change;
    const revision = change.entry?.revision ?? '';
    if (change.entry !== undefined) this.measure(`${key} ${revision}`, undefined, now());
    const sign = { added: paint('green', '+'), modified: paint('yellow', '~'), deleted: paint('red', '-') }[type];
    const style = { added: 'green', modified: 'yellow', deleted: 'red' } as const;
    say(`${sign} ${paint(style[type], type.padEnd(8))} ${fitted(key, width() - 12)}`);
    this.wake();
  }

  leader(leader: Leader | undefined): void {
    say(paint('cyan', leader === undefined ? '★ nobody leads' : `★ ${leader.id} leads, fence ${leader.fence}`));
  }

  message(message: Message): void {
    if (message.type === 'done') this.expected = message.edits;
    else this.measure(`${message.key} ${message.revision}`, message.at, undefined);
    this.wake();
  }

  /** Resolves when that many events have come. */
  events(count: number): Promise<void> {
    return this.until(() => this.total() >= count, `${count} events`);
  }

  /** Resolves when the editor is done and every key that was to expire is gone. */
  settled(): Promise<void> {
    return this.until(() => this.expected !== Infinity && this.total() >= this.expected + this.expiries, 'the last expiry');
  }

  summary(): void {
    const { added, modified, deleted } = this.counts;
    const sorted = this.latencies.sort((a, b) => a - b);
    const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(2);
    say(
      `${paint('bold', `${this.total()} events`)}: ${added} added, ${modified} modified, ${deleted} deleted; ` +
        `from another process's put to our event: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms (${sorted.length} measured)`,
    );
  }

  private total(): number {
    return this.counts.added + this.counts.modified + this.counts.deleted;
  }

  private measure(write: string, asked: number | undefined, arrived: number | undefined): void {
    if (asked !== undefined) this.asked.set(write, asked);
    if (arrived !== undefined) this.arrived.set(write, arrived);
    const from = this.asked.get(write);
    const to = this.arrived.get(write);
    if (from !== undefined && to !== undefined) this.latencies.push(to - from);
  }

  private until(condition: () => boolean, what: string): Promise<void> {
    return new Promise((done, reject) => {
      const timer = setTimeout(() => reject(new Error(`waited ${patience} ms for ${what}`)), patience);
      this.wake = () => {
        if (!condition()) return;
        clearTimeout(timer);
        done();
      };
      this.wake();
    });
  }
}

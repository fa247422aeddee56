/**
 * Dirty nodes: those that an event was about since they were read, and those that were so of late. The latter are read
 * along with the former, so that under continuous writes, too, an answer comes that leaves nothing dirty.
 */
import type { Entry } from '../../entry.js';

/** How many reads a node that was dirty is read along with. */
const stickiness = 8;
/** How many nodes are read along. */
const mostHot = 1000;

interface Hot {
  /** What it held when it was read last. */
  entry: Entry | undefined | 'unread';
  /** For how many reads it stays. */
  left: number;
}

export class Dirty {
  /** The place of the last event among all messages. */
  private readonly marked: Map<string, number> = new Map();
  private readonly hot: Map<string, Hot> = new Map();

  get any(): boolean {
    return this.marked.size > 0;
  }

  mark(path: string, at: number): void {
    this.marked.set(path, at);
  }

  clear(): void {
    this.marked.clear();
    this.hot.clear();
  }

  /** The nodes of the next read. */
  take(): string[] {
    for (const path of this.marked.keys()) this.hot.set(path, { entry: this.hot.get(path)?.entry ?? 'unread', left: stickiness });
    const paths = [...new Set([...this.marked.keys(), ...this.hot.keys()])];
    if (this.hot.size > mostHot) this.hot.clear();
    return paths;
  }

  /** A node was read: what came before the answer is in it. */
  answered(path: string, at: number): void {
    if ((this.marked.get(path) ?? Infinity) <= at) this.marked.delete(path);
  }

  /** Whether what a node holds is other than what it held when it was read along before. */
  isNews(path: string, entry: Entry | undefined): boolean {
    const hot = this.hot.get(path);
    if (hot === undefined) return true;
    const { entry: was } = hot;
    if (was !== 'unread' && was?.revision === entry?.revision && was?.leased === entry?.leased) return false;
    hot.entry = entry;
    return true;
  }

  /** All of a read has been answered. */
  settle(): void {
    for (const [path, hot] of this.hot) if (hot.left-- <= 0) this.hot.delete(path);
  }
}

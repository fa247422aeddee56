/** News: that somebody may have committed, in this process or another. */
import fs from 'node:fs';
import { Observable, share } from 'rxjs';

export interface News {
  /** Shared; a subscription keeps the process alive. Completes at {@link News.close}. */
  readonly news$: Observable<void>;
  /** Looks at once: after a commit of our own. */
  look(): void;
  close(): void;
}

export interface NewsOptions {
  /** That each commit writes to. */
  readonly file: string;
  /** Another number after each commit; NaN where it cannot be told, which then counts as news. */
  readonly position: () => number;
}

/** ms: what the news are late by where the file system does not tell. One poll costs 1 µs. */
const interval = 25;

/**
 * The poll is the truth, watching the file only makes it faster: a system that has no watch left, or none on
 * this file system, delays the news and loses none.
 */
export function createNews({ file, position }: NewsOptions): News {
  let following: (() => void) | undefined;
  let closing: (() => void) | undefined;
  let closed = false;

  const news$ = new Observable<void>(subscriber => {
    if (closed) return subscriber.complete();
    let last = position();
    let woken: NodeJS.Immediate | undefined;
    let again: NodeJS.Timeout | undefined;

    function look(): boolean {
      const now = position();
      if (now === last) return false;
      last = now;
      subscriber.next();
      return true;
    }

    // A commit writes several times: one look for all of them. The last write may come before the commit can be
    // seen, so a look that finds nothing is made again.
    function wake(): void {
      woken ??= setImmediate(() => {
        woken = undefined;
        if (!look()) again ??= setTimeout(lookAgain, 1);
      });
    }

    function lookAgain(): void {
      again = undefined;
      look();
    }

    const poll = setInterval(look, interval);
    const unwatch = watch(file, wake);
    following = look;
    closing = () => subscriber.complete();
    return () => {
      unwatch();
      clearInterval(poll);
      clearImmediate(woken);
      clearTimeout(again);
      following = undefined;
      closing = undefined;
    };
  }).pipe(share());

  return {
    news$,
    look: () => following?.(),
    close() {
      closed = true;
      closing?.();
    },
  };
}

/** Calls `wake` when the file is written to, as far as the system tells; returns how to stop. */
function watch(file: string, wake: () => void): () => void {
  try {
    const watcher = fs.watch(file, { persistent: false }, wake);
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
}

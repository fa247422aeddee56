/** What the demonstration's processes tell each other besides what they see in the store. */

/** The editor tells when it asked for a write, so that the watcher can tell how long its news took. */
export type Message =
  | { readonly type: 'asked'; readonly key: string; readonly revision: string; readonly at: number }
  | { readonly type: 'done'; readonly edits: number };

/** ms that all processes of the machine count alike. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

export function tell(message: Message): void {
  process.send?.(message);
}

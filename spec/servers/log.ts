/** The end of what a server printed, kept for when something goes wrong. */
import type { Readable } from 'node:stream';

export interface Log {
  /** Keeps what the stream says. */
  read(stream: Readable): void;
  /** A line of our own between theirs. */
  note(line: string): void;
  text(): string;
  /** The last lines, 40 unless told. */
  tail(lines?: number): string;
}

/** @param most characters kept; 256 Ki */
export function createLog(most = 262_144): Log {
  let kept = '';
  const add = (text: string): void => {
    kept += text;
    // Cut rarely, at twice the size: a string that is cut at every line costs more than the server.
    if (kept.length > 2 * most) kept = kept.slice(-most);
  };
  return {
    read(stream) {
      stream.setEncoding('utf8').on('data', add);
    },
    note(line) {
      add(`--- ${line}\n`);
    },
    text: () => kept.slice(-most),
    tail: (lines = 40) => kept.trimEnd().split('\n').slice(-lines).join('\n'),
  };
}

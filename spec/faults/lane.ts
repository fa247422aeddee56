/** One direction of a connection: pieces are taken from one socket, kept as long as the faults say, and given to the other. */
import type { Socket } from 'node:net';
import type { Ending, Lane } from './faults.js';

export interface Flow {
  /** The faults have changed. */
  changed(): void;
  /** What comes from now on is read and dropped. */
  stop(): void;
}

/** Bytes on their way in one direction; who sends more finds the window closed. */
const window = 1_048_576;

export interface FlowOptions {
  readonly from: Socket;
  readonly to: Socket;
  /** The faults of this direction, as they are now. */
  readonly lane: () => Lane;
  /** Of a piece of so many bytes, before it is sent on: how many pass before this connection ends of itself. */
  readonly allow: (bytes: number) => number;
  readonly passed: (bytes: number) => void;
  readonly end: (ending: Ending) => void;
}

export function createFlow({ from, to, lane, allow, passed, end }: FlowOptions): Flow {
  const waiting: { readonly piece: Buffer; readonly due: number }[] = [];
  let waitingBytes = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let sourceEnded = false;
  let stopped = false;

  const pump = (): void => {
    clearTimeout(timer);
    while (!stopped && !lane().held && !to.writableNeedDrain) {
      const next = waiting[0];
      if (next === undefined) {
        if (sourceEnded) to.end();
        break;
      }
      const wait = next.due - performance.now();
      if (wait > 0) {
        // A timer may be up to 1 ms early, and would find nothing due.
        timer = setTimeout(pump, Math.ceil(wait) + 1);
        break;
      }
      waiting.shift();
      waitingBytes -= next.piece.length;
      pass(next.piece);
    }
    // While held the sender finds its window closed.
    if (stopped || (!lane().held && waitingBytes < window && !to.writableNeedDrain)) from.resume();
    else from.pause();
  };

  const pass = (piece: Buffer): void => {
    const { limit } = lane();
    const own = allow(piece.length);
    const most = Math.min(own, limit?.left ?? Number.POSITIVE_INFINITY);
    const part = piece.subarray(0, most);
    if (limit !== undefined) limit.left -= part.length;
    passed(part.length);
    if (most > piece.length) {
      to.write(part);
      return;
    }
    stopped = true;
    const ending = limit?.left === 0 ? limit.ending : 'cut';
    if (limit?.left === 0) {
      lane().limit = undefined;
      limit.reached();
    }
    // The kernel has the last bytes before the connection is ended: they do arrive.
    to.write(part, () => end(ending));
  };

  from.on('data', (piece: Buffer) => {
    if (stopped) return;
    waitingBytes += piece.length;
    waiting.push({ piece, due: performance.now() + lane().delay });
    pump();
  });
  from.once('end', () => {
    sourceEnded = true;
    pump();
  });
  to.on('drain', pump);
  pump();
  return {
    changed: pump,
    stop() {
      stopped = true;
      clearTimeout(timer);
      waiting.length = 0;
      from.resume();
    },
  };
}

/** The screen: colours and a progress line on a terminal, plain lines elsewhere. */
import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

const terminal = process.stdout.isTTY === true;
const coloured = terminal && process.env.NO_COLOR === undefined;

export function paint(style: Style, text: string): string {
  return coloured ? styleText(style, text) : text;
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Columns that a line may have. */
export function width(): number {
  return terminal ? Math.max(40, process.stdout.columns) : 140;
}

/** Cut in the middle where it is longer than `most`: both ends of a key tell something. */
export function fitted(text: string, most: number): string {
  if (text.length <= most) return text;
  const half = Math.floor((most - 1) / 2);
  return `${text.slice(0, half)}…${text.slice(text.length - (most - 1 - half))}`;
}

/** A line that fills up: redrawn in place on a terminal, said at each quarter elsewhere. */
export function progress(what: string, total: number): (done: number) => void {
  let quarter = -1;
  return done => {
    const share = total === 0 ? 1 : done / total;
    if (terminal) {
      const filled = Math.round(share * 24);
      const bar = '█'.repeat(filled) + '░'.repeat(24 - filled);
      process.stdout.write(`\r${what} ${bar} ${done}/${total}${share === 1 ? '\n' : ''}`);
    } else if (Math.floor(share * 4) > quarter) {
      quarter = Math.floor(share * 4);
      say(`${what} ${done}/${total}`);
    }
  };
}

/** A logger: where a store says what is not worth an error. */

import { invalid } from './errors.js';

/** `console`, pino and the Nest logger fit. Messages and details never hold a value, password or token. */
export interface Logger {
  debug(message: string, detail?: object): void;
  info: Logger['debug'];
  warn: Logger['debug'];
  error: Logger['debug'];
}

/** @throws KvError `invalid` for what has not the four functions */
export function checkLogger(logger: Logger): void {
  const missing = levels.find(level => typeof (logger as Logger | null)?.[level] !== 'function');
  if (missing !== undefined)
    throw invalid(`logger is an object with ${levels.join(', ')}, such as console: this one has no function ${missing}`);
}

const levels = ['debug', 'info', 'warn', 'error'] as const;

function ignore(): void {}

/** The default: says nothing. */
export const silent: Logger = Object.freeze({ debug: ignore, info: ignore, warn: ignore, error: ignore });

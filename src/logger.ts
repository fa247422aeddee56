/** A logger: where a store says what is not worth an error. */

/** `console`, pino and the Nest logger fit. Messages and details never hold a value, password or token. */
export interface Logger {
  debug(message: string, detail?: object): void;
  info: Logger['debug'];
  warn: Logger['debug'];
  error: Logger['debug'];
}

function ignore(): void {}

/** The default: says nothing. */
export const silent: Logger = Object.freeze({ debug: ignore, info: ignore, warn: ignore, error: ignore });

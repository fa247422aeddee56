/** A listener: told of what happens to a connection. */
import type { Fault } from './errors.js';

export interface Listener {
  /** The session is live on a server, for the first time or again. */
  established(): void;
  /** The connection was lost, or could not be made. */
  cut(): void;
  /** TLS with this server cannot be had, and trying again will not help. */
  refused?(fault: Fault): void;
  /** The session is over: nothing more comes. */
  ended(): void;
  /** Something was heard since this was said last. */
  alive(): void;
  /** @param at  its place among all messages of the store */
  event(type: number, path: string, at: number): void;
}

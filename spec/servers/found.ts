/** What was found of one server: an address to use, a program to start, or why there is neither. Plain data: it travels to the workers. */
import type { ProgramName } from './catalogue.js';

/** Where a program came from, in the order in which they are asked. */
export type Source = 'environment' | 'path' | 'cache' | 'unpacked';

/** Somebody's running server, named by `RXKV_TEST_<NAME>_URL`: used as it is, never started or stopped. */
export interface Address {
  readonly kind: 'address';
  readonly name: ProgramName;
  readonly url: string;
  readonly why: string;
}

/** A program that we start and stop as tests like. */
export interface Program {
  readonly kind: 'program';
  readonly name: ProgramName;
  readonly version: string;
  readonly source: Source;
  /** One line for a person: which, and from where. */
  readonly why: string;
  readonly command: string;
  /** What comes before the server's own arguments (Java: its class path). */
  readonly args: readonly string[];
  /** The commands beside it, by name: `etcdctl`, `redis-cli`. */
  readonly tools: Readonly<Record<string, string>>;
  /** Added to the environment of it and of its tools. */
  readonly env: Readonly<Record<string, string>>;
}

/** Not to be had here; `why` has what each place answered. */
export interface Missing {
  readonly kind: 'missing';
  readonly name: ProgramName;
  readonly why: string;
}

export type Found = Address | Program | Missing;

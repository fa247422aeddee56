/** Clocks: one for what is written with a date, one that nobody can set, and which boot of the machine the latter counts in. */
import { readFileSync } from 'node:fs';

/** ms since the epoch */
export function wall(): number {
  return Date.now();
}

/** ms on CLOCK_MONOTONIC, which all processes of a boot share (and the time in suspend does not move). */
export function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** The id of this boot; '' where the system does not tell. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

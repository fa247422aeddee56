/** The clock that all processes of a machine share: ms on CLOCK_MONOTONIC (`performance.now()` counts from a process' start). */
export function clock(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

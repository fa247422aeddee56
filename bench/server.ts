/** The server to bench against: scripts/bench.mjs starts one and says where it is. */

/** `host:port`. */
export function serverHost(name: string): string {
  const host = process.env[`RXKV_BENCH_${name.toUpperCase()}`];
  if (host === undefined) throw new Error(`no ${name} to bench against: npm run bench -- ${name} starts one`);
  return host;
}

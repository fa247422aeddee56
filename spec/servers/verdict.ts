/** What a run does about servers that are nowhere: it fails where they were promised, and says so loudly elsewhere. */
import type { Found } from './found.js';

/** Whether a missing server is a failure: `CI=true` or `RXKV_REQUIRE_SERVERS=1`. */
export function serversRequired(env: NodeJS.ProcessEnv): boolean {
  return env.CI === 'true' || env.CI === '1' || env.RXKV_REQUIRE_SERVERS === '1';
}

/**
 * One line for each server that is missing; none: all are there.
 *
 * @throws Error with those lines where servers are required
 */
export function verdict(found: readonly Found[], env: NodeJS.ProcessEnv): readonly string[] {
  const missing = found.filter(each => each.kind === 'missing').map(each => each.why);
  if (missing.length > 0 && serversRequired(env)) throw new Error(`servers that this run requires are missing:\n${missing.join('\n')}`);
  return missing.map(why => `SKIPPED, ALL TESTS OF ${why}`);
}

/** Hosts as every networked backend takes them: `host:port` of one server or more. */
import { invalid } from './errors.js';

/**
 * Each host as `host:port`, once.
 *
 * @param given  `host`, `host:port` or `[::1]:port`, one or a list of them
 * @param usualPort  where a host names none
 * @param where  whose options they are, for the message: "etcd()"
 * @throws KvError `invalid`, which repeats no host: a URL in its place may hold a password
 * @example
 * hostsOf('localhost', 2379, 'etcd()'); // ['localhost:2379']
 */
export function hostsOf(given: string | readonly string[] | undefined, usualPort: number, where: string): string[] {
  const hosts = typeof given === 'string' ? [given] : given;
  if (!Array.isArray(hosts) || hosts.length === 0)
    throw invalid(`${where} needs hosts: ${where.slice(0, -1)}{ hosts: 'localhost:${usualPort}' })`);
  return [...new Set(hosts.map(host => hostOf(host, usualPort, where)))];
}

function hostOf(host: unknown, usualPort: number, where: string): string {
  const match = typeof host === 'string' ? /^(\[[0-9a-f:.]+(?:%\w+)?\]|[^\s:/?#@[\]]+)(?::(\d+))?$/i.exec(host) : null;
  const port = Number(match?.[2] ?? usualPort);
  if (match === null || port < 1 || port > 65_535) throw invalid(`a host of ${where} is "host:port", such as "localhost:${usualPort}"`);
  return `${match[1]}:${port}`;
}

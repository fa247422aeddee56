/** Versions: the numbers in what a program says of itself, and whether they lie between two others. */

/**
 * The version in a program's own words (`etcd Version: 3.5.16`, `Consul v1.8.7`, `v=7.0.15`, `openjdk version
 * "17.0.15"`, `zookeeper-3.8.0.jar`); undefined where there is none.
 */
export function versionIn(words: string): string | undefined {
  // A lone number counts only where the program says that it is the version ("openjdk version "21"").
  return /\d+(?:\.\d+)+/.exec(words)?.[0] ?? /version "(\d+)/.exec(words)?.[1];
}

/** Whether `version` is `from` or later, and earlier than `below`. */
export function within(version: string, from: string, below: string): boolean {
  return compare(version, from) >= 0 && compare(version, below) < 0;
}

function compare(left: string, right: string): number {
  const a = left.split('.').map(Number);
  const b = right.split('.').map(Number);
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

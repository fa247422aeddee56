/** What the tests want of a machine: each server's programs, the versions that will do, and the packages they are unpacked from. */

/** A server that tests run against; `etcd34` is the older line. */
export type ServerName = 'etcd' | 'etcd34' | 'consul' | 'zookeeper' | 'redis';

/** What specs run against: the servers, and the client of another language that one of them is shared with. */
export type SuiteName = ServerName | 'curator';

/** Everything that is looked for, and the Java runtime that some of it needs. */
export type ProgramName = SuiteName | 'java';

export interface Recipe {
  /** As people write it, with the line we want. */
  readonly title: string;
  /** Middle of the environment's names: `RXKV_TEST_<this>_URL` and `RXKV_TEST_<this>_BIN`. */
  readonly variable: string;
  /** The command on PATH. */
  readonly command: string;
  /** Commands that must be there too: beside it or on PATH. */
  readonly tools: readonly string[];
  /** Asks the command for its version; none: it is in the name of a file (ZooKeeper's jar). */
  readonly versionArgs?: readonly string[];
  /** First version that will do, and the first that no longer does. */
  readonly from: string;
  readonly below: string;
  readonly debian: Packages;
}

/** Packages of one Debian suite. `keep` are the paths of theirs that are used; the rest is not kept. */
export interface Packages {
  readonly suite: string;
  readonly packages: readonly string[];
  readonly keep: readonly string[];
}

export const serverNames: readonly ServerName[] = ['etcd', 'etcd34', 'consul', 'zookeeper', 'redis'];

export const catalogue: Readonly<Record<ProgramName, Recipe>> = {
  etcd: {
    title: 'etcd 3.5',
    variable: 'ETCD',
    command: 'etcd',
    tools: ['etcdctl'],
    versionArgs: ['--version'],
    from: '3.5',
    below: '4',
    // Linked statically: it runs on older suites too.
    debian: { suite: 'trixie', packages: ['etcd-server', 'etcd-client'], keep: ['usr/bin/etcd', 'usr/bin/etcdctl'] },
  },
  etcd34: {
    title: 'etcd 3.4',
    variable: 'ETCD34',
    command: 'etcd',
    tools: ['etcdctl'],
    versionArgs: ['--version'],
    from: '3.4',
    below: '3.5',
    debian: { suite: 'bookworm', packages: ['etcd-server', 'etcd-client'], keep: ['usr/bin/etcd', 'usr/bin/etcdctl'] },
  },
  consul: {
    title: 'Consul 1.8',
    variable: 'CONSUL',
    command: 'consul',
    tools: [],
    versionArgs: ['version'],
    from: '1.8',
    below: '2',
    // The last suite that has it.
    debian: { suite: 'bullseye', packages: ['consul'], keep: ['usr/bin/consul'] },
  },
  zookeeper: {
    title: 'ZooKeeper 3.8',
    variable: 'ZOOKEEPER',
    command: 'zkServer.sh',
    tools: [],
    from: '3.8',
    below: '4',
    debian: {
      suite: 'bookworm',
      // Seven jars instead of its closure of thirty packages, and two more for TLS, which is netty's.
      packages: [
        'libzookeeper-java',
        'libslf4j-java',
        'libdropwizard-metrics-java',
        'libsnappy-java',
        'libcommons-cli-java',
        'libnetty-java',
        'libjctools-java',
      ],
      keep: ['usr/share/java'],
    },
  },
  redis: {
    title: 'Redis 7',
    variable: 'REDIS',
    command: 'redis-server',
    tools: ['redis-cli'],
    versionArgs: ['--version'],
    from: '7',
    below: '8',
    // redis-server is a link into redis-tools; the libraries are those that a bare Debian lacks.
    debian: {
      suite: 'bookworm',
      packages: ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1', 'libatomic1'],
      keep: ['usr/bin', 'usr/lib'],
    },
  },
  curator: {
    title: 'Curator 5',
    variable: 'CURATOR',
    command: 'curator-recipes.jar',
    tools: [],
    from: '5',
    below: '6',
    debian: {
      suite: 'bookworm',
      // A runtime has no compiler: what is run on Curator is JavaScript, in Rhino.
      packages: ['libcurator-recipes-java', 'libcurator-framework-java', 'libcurator-client-java', 'libguava-java', 'librhino-java'],
      keep: ['usr/share/java'],
    },
  },
  java: {
    title: 'a Java runtime',
    variable: 'JAVA',
    command: 'java',
    tools: [],
    versionArgs: ['-version'],
    from: '11',
    below: '99',
    debian: { suite: 'bookworm', packages: ['openjdk-17-jre-headless'], keep: ['usr/lib/jvm', 'etc/java-17-openjdk'] },
  },
};

/** The conformance suite on ZooKeeper's other configurations: a subset in an everyday run, all of it in a full one. */
import { describeProgram } from '../servers/suite.js';
import { startZooKeeper, startZooKeeperEnsemble, zooKeeperUsers } from '../servers/zookeeper.js';
import { otherConfiguration } from './matrix.js';
import { suiteOnZooKeeper, tickTime } from './zookeeper.js';

describeProgram('zookeeper', 'conformance of three members', found => {
  const start = async (): Promise<Awaited<ReturnType<typeof startZooKeeperEnsemble>>['members']> =>
    (await startZooKeeperEnsemble(found, { tickTime })).members;
  suiteOnZooKeeper({ name: 'zookeeper ensemble', start }, otherConfiguration);
});

describeProgram('zookeeper', 'conformance with a user whose nodes are closed to others', found => {
  const start = async (): Promise<Awaited<ReturnType<typeof startZooKeeper>>[]> => [await startZooKeeper(found, { tickTime, auth: true })];
  suiteOnZooKeeper({ name: 'zookeeper user', options: { auth: zooKeeperUsers.owner }, start }, otherConfiguration);
});

describeProgram('zookeeper', 'conformance on the TLS port', found => {
  suiteOnZooKeeper(
    { name: 'zookeeper TLS', start: async () => [await startZooKeeper(found, { tickTime, tls: true })] },
    otherConfiguration,
  );
});

describeProgram('zookeeper', 'conformance on a server that refuses persistent watches', found => {
  const properties = { 'zookeeper.watchManagerName': 'org.apache.zookeeper.server.watch.WatchManagerOptimized' };
  suiteOnZooKeeper(
    { name: 'zookeeper watches', recursive: false, start: async () => [await startZooKeeper(found, { tickTime, properties })] },
    otherConfiguration,
  );
});

describeProgram('zookeeper', 'conformance with TTL nodes', found => {
  const properties = { 'zookeeper.extendedTypesEnabled': true, 'znode.container.checkIntervalMs': '100' };
  const start = async (): Promise<Awaited<ReturnType<typeof startZooKeeper>>[]> => [await startZooKeeper(found, { tickTime, properties })];
  suiteOnZooKeeper({ name: 'zookeeper TTL', options: { ttlNodes: true }, start }, otherConfiguration);
});

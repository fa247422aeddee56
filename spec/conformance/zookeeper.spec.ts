/** The conformance suite on one server of ZooKeeper: all of it, in every run. */
import { describeServer } from '../servers/suite.js';
import { startZooKeeper } from '../servers/zookeeper.js';
import { suiteOnZooKeeper, tickTime } from './zookeeper.js';

describeServer('zookeeper', 'conformance', found => {
  const owned = found.kind === 'program';
  suiteOnZooKeeper({ name: 'zookeeper', start: async () => [await startZooKeeper(found, owned ? { tickTime } : {})], owned });
});

/** The conformance suite on one server of etcd: all of it, in every run. */
import { startEtcd } from '../servers/etcd.js';
import { describeServer } from '../servers/suite.js';
import { suiteOnEtcd } from './etcd.js';

describeServer('etcd', 'conformance', found => {
  suiteOnEtcd({ name: 'etcd', start: async () => [await startEtcd(found)], owned: found.kind === 'program' });
});

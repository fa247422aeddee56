/** The conformance suite on etcd's other configurations: a subset in an everyday run, all of it in a full one. */
import { etcdUsers, startEtcd, startEtcdCluster } from '../servers/etcd.js';
import { describeProgram } from '../servers/suite.js';
import { suiteOnEtcd } from './etcd.js';
import { otherConfiguration } from './matrix.js';

describeProgram('etcd', 'conformance of three members', found => {
  suiteOnEtcd({ name: 'etcd cluster', start: async () => (await startEtcdCluster(found)).members }, otherConfiguration);
});

describeProgram('etcd', 'conformance with TLS and client certificates', found => {
  suiteOnEtcd({ name: 'etcd TLS', start: async () => [await startEtcd(found, { tls: true })] }, otherConfiguration);
});

describeProgram('etcd', 'conformance with a user whose tokens lapse', found => {
  const start = async (): Promise<Awaited<ReturnType<typeof startEtcd>>[]> => [
    await startEtcd(found, { auth: true, args: ['--auth-token-ttl', '2'] }),
  ];
  suiteOnEtcd({ name: 'etcd user', user: etcdUsers.root, start }, otherConfiguration);
});

describeProgram('etcd34', 'conformance of 3.4', found => {
  suiteOnEtcd({ name: 'etcd 3.4', start: async () => [await startEtcd(found)] }, otherConfiguration);
});

/** The conformance suite on Consul's other configurations: a subset in an everyday run, all of it in a full one. */
import { startConsul, startConsulCluster } from '../servers/consul.js';
import { describeProgram } from '../servers/suite.js';
import { config, suiteOnConsul } from './consul.js';
import { otherConfiguration } from './matrix.js';

describeProgram('consul', 'conformance of three servers', program => {
  suiteOnConsul({ name: 'consul cluster', start: async () => (await startConsulCluster(program, config)).members }, otherConfiguration);
});

describeProgram('consul', 'conformance with TLS and client certificates', program => {
  suiteOnConsul({ name: 'consul TLS', start: async () => [await startConsul(program, { tls: true, config })] }, otherConfiguration);
});

describeProgram('consul', 'conformance with ACLs and a token that was rotated', program => {
  suiteOnConsul({ name: 'consul ACL', start: async () => [await startConsul(program, { auth: true, config })] }, otherConfiguration);
});

/** The conformance suite on one agent of Consul: all of it, in every run. */
import { startConsul } from '../servers/consul.js';
import { describeServer } from '../servers/suite.js';
import { config, suiteOnConsul } from './consul.js';

describeServer('consul', 'conformance', found => {
  const owned = found.kind === 'program';
  suiteOnConsul({ name: 'consul', start: async () => [await startConsul(found, owned ? { config } : {})], owned });
});

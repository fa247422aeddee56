/** The conformance suite on one server of Redis: all of it, in every run. */
import { startRedis } from '../servers/redis.js';
import { describeServer } from '../servers/suite.js';
import { suiteOnRedis } from './redis.js';

describeServer('redis', 'conformance', found => {
  suiteOnRedis({
    name: 'redis',
    start: async () => {
      const server = await startRedis(found);
      return { servers: [server], log: () => server.log(), [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose]() };
    },
    owned: found.kind === 'program',
  });
});

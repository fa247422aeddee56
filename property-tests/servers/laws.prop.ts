/** The laws on real servers: fewer runs of each, since one takes a thousand round trips. */
import { fc } from '@fast-check/vitest';
import { describe, inject } from 'vitest';
import type { Address, Program } from '../../spec/servers/found.js';
import { describeServer } from '../../spec/servers/suite.js';
import { backends, type Runs } from '../backends.js';
import { keysOn } from '../laws/keys-on.js';
import { sameEvents } from '../laws/same-events.js';
import { backendOn, networked } from './networked.js';

const parameters: Runs = { numRuns: Math.ceil((fc.readConfigureGlobal().numRuns ?? 100) / 10) };

describe.each(networked)('%s', name => {
  describeServer(name, 'keys', found => {
    keysOn(backendOn(name, found), parameters);
  });
});

describe('memory and all networked backends that are here', () => {
  const memory = backends.filter(({ name }) => name === 'memory');
  const here = networked.flatMap(name => {
    const found: Program | Address | { kind: 'missing' } | undefined = inject('servers')[name];
    return found === undefined || found.kind === 'missing' ? [] : [backendOn(name, found)];
  });
  sameEvents([...memory, ...here], parameters);
});

/**
 * The matrix: each backend in all of its configurations (a cluster, TLS, passwords, older versions).
 *
 * One server of each, plain, is always held to the whole suite. On the other configurations an everyday run proves the
 * subset below, and `npm run test:all` (RXKV_SERVER_MATRIX=full) the whole suite again.
 */
import type { Selection } from '../../src/conformance/index.js';

/** What another configuration can break: the way there and back, consistency over several members, locks, faults. */
export const everydaySubset: Selection = {
  ways: ['on two connections'],
  only: [
    'capabilities › health() says ok, how long a round trip takes, and its warnings',
    'reading › what put returns is what get, list and watches give',
    'reading › a strong read sees every write acknowledged before it',
    'reading › guarantee 10: get takes one round trip',
    'writing › un-awaited writes of one key keep call order',
    'writing › guarantee 11: 1 MB comes back as it went in, or as much as the driver takes',
    'writing › guarantee 10: put, atomicPut, atomicDelete and delete take one round trip',
    'listing › a directory of 1,500 keys is listed whole, in order, without duplicates',
    'compare-and-set › a stale entry is a conflict, and nothing is written',
    'compare-and-set › of many who replace with equal bytes exactly one wins',
    'compare-and-set › eight clients who count by compare-and-set count every step',
    'transactions › concurrent transfers between accounts conserve their sum',
    'delete-tree › what was there when it began is gone, whatever others write meanwhile',
    'feeds › a feed resumes after the revision it said last, without a reset',
    'watching › guarantee 1: whoever subscribes during a storm ends in the state the store ends in',
    'tree-watching › guarantee 1: whoever subscribes during a storm ends in the state the store ends in',
    'tree-watching › guarantee 9: subscribers, depths and views of a directory are one watch',
    'events › guarantee 7: the events of a slow history are those of a model, on every backend',
    'sessions › a lock whose session the server ended is lock-lost, its signal aborted before that',
    'sessions › guarantee 5: the holder of a cut link is told before the rival acquires',
    'keep-alive › the key lives beyond its ttl while subscribed',
    'locking › release lets others in at once, and again is harmless',
    'queueing › ten contenders exclude each other, and their fences grow',
    'queueing › locks are granted in the order of asking',
    'fenced-writes › guarantee 5: a holder that nobody has told is refused by the server',
    'electing › of many candidates one leads; when it leaves the next takes over, and its fence is higher',
    'leaders › a take-over is told, and who comes late hears the leader of now',
    'close › guarantee 12: locks are released, so that others get them at once',
    'unanswered › calls reject as transient while cut off, in time, and are answered again afterwards',
    'unanswered › a write whose answer never came says outcome unknown, and is not sent again',
    'unanswered › guarantee 12: close() settles in time though the connection is hanging',
    'faults › guarantee 3: a cut shorter than silence is mended without an error',
    'faults › guarantee 3: a peer that hangs for longer than silence is an error, transient, and in time',
    'faults › compaction during a cut is no error of its own: the state after it is right',
    'faults › guarantee 1: a storm with cuts in it ends in the state the store ends in',
    'faults › a restart of the server is a cut like any other',
  ],
};

/** For every configuration of a backend but its plain server. */
export const otherConfiguration: Selection = process.env.RXKV_SERVER_MATRIX === 'full' ? {} : everydaySubset;

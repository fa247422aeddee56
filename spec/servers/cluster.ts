/** Several servers of one kind that belong together, all on loopback. */
import type { Server } from './server.js';
import { until } from './until.js';

export interface Cluster<S extends Server> extends AsyncDisposable {
  readonly members: readonly S[];
  /** host:port of all members, as a store's `hosts` takes them. */
  readonly hosts: readonly string[];
  /** The member that leads now; undefined while none does. */
  leader(): Promise<S | undefined>;
  /** Waits for a leader, other than `not` where that is given. */
  elected(not?: S): Promise<S>;
  /** What all members printed. */
  log(): string;
}

/**
 * Starts members that are ready only together; none is left where one fails.
 *
 * @param leads whether a member says that it leads; failing counts as no
 */
export async function startCluster<S extends Server>(members: readonly S[], leads: (member: S) => Promise<boolean>): Promise<Cluster<S>> {
  const cluster: Cluster<S> = {
    members,
    hosts: members.map(member => member.host),
    async leader() {
      const leading = await Promise.all(members.map(member => leads(member).catch(() => false)));
      return members[leading.indexOf(true)];
    },
    elected(not) {
      const which = not === undefined ? 'a leader' : `a leader other than ${not.name}`;
      return until(`${members[0]?.name} to have ${which}`, async () => {
        const leader = await cluster.leader();
        return leader !== not && leader;
      });
    },
    log: () => members.map(member => `=== ${member.name}\n${member.log()}`).join('\n'),
    async [Symbol.asyncDispose]() {
      await Promise.all(members.map(member => member[Symbol.asyncDispose]()));
    },
  };
  try {
    await Promise.all(members.map(member => member.start()));
    await cluster.elected();
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
  return cluster;
}

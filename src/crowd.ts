/**
 * A crowd: what is under way, in no order, so that each can leave at the cost of one move.
 *
 * No Set: with additions and removals in turn it makes itself a new table every few calls.
 */

/** Instances of a class, for the reason that `Waiting` of coalesce.ts has. */
export interface Member {
  /** Its place in the crowd; -1 once it has left. */
  at: number;
}

/** Takes a member out; false for one that has left already. */
export function leave<T extends Member>(crowd: T[], member: T): boolean {
  const { at } = member;
  const last = crowd.at(-1);
  if (at === -1 || last === undefined) return false;
  member.at = -1;
  crowd.pop();
  if (last !== member) {
    crowd[at] = last;
    last.at = at;
  }
  return true;
}

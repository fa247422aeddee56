/** A selection: the part of the suite that is listed, by name, so that none is left out by a slip of the pen. */
import { type Way, ways as allWays } from './context.js';
import type { Proof, Topic } from './topic.js';

export interface Selection {
  /**
   * Topics (`watching`) and single promises (`watching › an empty value is an entry, not an absence`); all by default.
   */
  readonly only?: readonly string[];
  /** `bare`, `through a view`, `on two connections`; all three by default. */
  readonly ways?: readonly Way[];
}

/** A proof with the place that it has in a title. */
export interface Listed {
  readonly way: Way;
  readonly topic: Topic;
  readonly proof: Proof;
}

/**
 * What is listed, in the order of ways, topics and proofs.
 *
 * @throws Error for a name that the suite does not have, or has in none of these ways
 */
export function selected(topics: readonly Topic[], { only, ways = allWays }: Selection): readonly Listed[] {
  const stranger = ways.find(way => !allWays.includes(way));
  if (stranger !== undefined) throw new Error(`the suite is not run "${stranger}", but ${allWays.map(way => `"${way}"`).join(', ')}`);
  const all = allWays
    .filter(way => ways.includes(way))
    .flatMap(way =>
      topics.flatMap(topic => topic.proofs.filter(proof => proof.ways?.includes(way) !== false).map(proof => ({ way, topic, proof }))),
    );
  if (only === undefined) return all;
  const unmet = new Set(only);
  const listed = all.filter(({ topic, proof }) => {
    const names = [topic.name, `${topic.name} › ${proof.title}`].filter(name => only.includes(name));
    for (const name of names) unmet.delete(name);
    return names.length > 0;
  });
  if (unmet.size > 0) throw new Error(`the suite has no ${[...unmet].map(name => `"${name}"`).join(' and no ')} ${ways.join(' or ')}`);
  return listed;
}

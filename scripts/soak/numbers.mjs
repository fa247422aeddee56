/** Numbers by chance that are the same for the same seed: `draw(n)` is a whole one from 0 to below n. */
export function numbers(seed) {
  let state = seed >>> 0;
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

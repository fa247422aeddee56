/** Requires each subpath that is named on the command line and prints what it exports. */
const found = {};
for (const subpath of process.argv.slice(2)) found[subpath] = Object.keys(require(subpath)).toSorted();
console.log(JSON.stringify(found));

/** Inspects each of the folders and says `{ verdict, wrong: [...], entries }`, as `user` where one is given; ends by itself. */
import { inspect } from '../../../dist/esm/backends/lmdb/index.js';

const { paths, user } = JSON.parse(process.argv[2]);
if (user !== undefined) {
  process.setgid(user);
  process.setuid(user);
}
for (const path of paths) {
  const { verdict, problems, contents } = await inspect(path);
  process.stdout.write(`${JSON.stringify({ verdict, wrong: problems.map(({ wrong }) => wrong), entries: contents?.entries })}\n`);
}

/** Opens the URL on the command line and prints how that was refused. */
import { KvError } from 'rxkv';
import { open } from 'rxkv/open';

try {
  const store = await open(process.argv[2]);
  await store.ready();
  console.log(JSON.stringify({ opened: true }));
} catch (error) {
  console.log(JSON.stringify({ recognised: KvError.is(error), code: error.code, message: error.message }));
}

/** The candidate: a process of its own that campaigns for leadership and leads until it is killed. */
import { NEVER } from 'rxjs';
import { retryTransient, whileLeading } from 'rxkv';
import { open } from 'rxkv/open';

const [url = '', election = '', id = '', ttl = '1500'] = process.argv.slice(2);
const store = await open(url);
store
  .elect$(election, { id, ttl: Number(ttl) })
  .pipe(
    whileLeading(() => NEVER),
    retryTransient(),
  )
  .subscribe();

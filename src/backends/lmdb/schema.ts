/** The schema: which layout a folder has, so that no version of this package misreads what another wrote. */
import { KvError } from '../../errors.js';
import type { Client } from './client.js';
import { encodeHead, headKey, schemaKey } from './layout.js';
import { headOf } from './view.js';

/** Of `layout.ts`; goes up with every change that an older version would misread. */
export const schema = 1;

/**
 * Makes a new folder ours, or checks that it is in our layout.
 *
 * @throws KvError `unsupported` for the layout of a newer version
 */
export function claim(client: Client, path: string): void {
  client.refresh();
  if (found(client) === undefined) client.transactionSync(() => begin(client));
  const version = found(client);
  if (version === schema) return;
  throw new KvError(
    'unsupported',
    `${path} was written by a newer version of rxkv (schema ${version}, this one knows ${schema}): upgrade rxkv`,
    {
      backend: 'lmdb',
    },
  );
}

/** Another process may have been first by now. */
function begin(client: Client): void {
  if (found(client) !== undefined) return;
  const head = { ...headOf(client), commits: 1 };
  client.meta.put(headKey, encodeHead(head), head.commits);
  client.meta.put(schemaKey, new Uint8Array([schema]));
}

function found(client: Client): number | undefined {
  return client.meta.getBinary(schemaKey)?.[0];
}

/** The schema: which layout a folder has, so that no version of this package misreads what another wrote. */
import { KvError } from '../../errors.js';
import type { Client } from './client.js';
import { encodeHead, headKey, schemaKey } from './layout.js';
import { noTail } from './log.js';
import { headOf } from './view.js';

/** Of `layout.ts`; goes up with every change that an older version would misread, or that misreads an older one. */
export const schema = 2;

/** The layout of a folder that has the database {@link oldPosition}: its position was in there. */
export const oldSchema = 1;
export const oldPosition = 'rxkv/meta';

/**
 * Makes a new folder ours, or checks that it is in our layout. Leaves one in another layout as it is.
 *
 * @throws KvError `unsupported` for the layout of a newer or an older version
 */
export function claim(client: Client, path: string): void {
  client.refresh();
  if (found(client) === undefined) client.transactionSync(() => begin(client));
  const version = found(client);
  if (version === schema) return;
  throw new KvError('unsupported', `${path} ${otherSchema(version)}: ${remedyFor(version)}`, { backend: 'lmdb' });
}

/** That something was written in the layout of another version, to be put after its name. */
export function otherSchema(version: number | undefined): string {
  return `was written by ${isNewer(version) ? 'a newer' : 'an older'} version of rxkv (schema ${version}, this one knows ${schema})`;
}

export function remedyFor(version: number | undefined): string {
  return isNewer(version) ? 'upgrade rxkv' : 'export it with that version, and import that into a new folder';
}

function isNewer(version: number | undefined): boolean {
  return version !== undefined && version > schema;
}

/** Another process may have been first by now. */
function begin(client: Client): void {
  if (found(client) !== undefined) return;
  const head = { ...headOf(client), commits: 1 };
  client.root.put(headKey, encodeHead(head, noTail), head.commits);
  client.root.put(schemaKey, new Uint8Array([schema]));
}

function found(client: Client): number | undefined {
  // The name of a database ends with a NUL in the root.
  if (client.root.getBinary(`${oldPosition}\0`) !== undefined) return oldSchema;
  return client.root.getBinary(schemaKey)?.[0];
}

/** No page can do this: LMDB is of Node. */
export { lmdb } from 'rxkv/lmdb';

/** The editor: a process of its own that edits, adds, removes, and lets keys expire. */
import { text, type Store } from 'rxkv';
import { open } from 'rxkv/open';
import { now, tell } from './messages.js';

const [url = '', directory = '', edits = '60'] = process.argv.slice(2);
const store = await open(url);
const view = store.at(directory);
const keys = [...(await view.list('')).keys()];

for (let edit = 0; edit < Number(edits); edit++) {
  const key = keys[(edit * 7919) % Math.max(1, keys.length)] ?? 'first';
  await one(view, edit, key);
  // A person edits one thing after the other; so does this process.
  await new Promise(resolve => setTimeout(resolve, 40));
}
tell({ type: 'done', edits: Number(edits) });
await store.close();
process.disconnect?.();

async function one(editing: Store, edit: number, key: string): Promise<void> {
  switch (edit % 6) {
    case 0:
      return put(editing, `added/by-editor-${edit}`, JSON.stringify(edit));
    case 1:
      return put(editing, `expiring/soon-${edit}`, '"gone in a moment"', 400);
    case 2:
      await editing.delete(key);
      return;
    case 3: {
      const at = now();
      const entry = await editing.update(key, current => `${text(current) ?? 'null'} `);
      if (entry !== undefined) tell({ type: 'asked', key, revision: String(entry.revision), at });
      return;
    }
    default:
      return put(editing, key, JSON.stringify(`edited ${edit}`));
  }
}

async function put(editing: Store, key: string, value: string, ttl?: number): Promise<void> {
  const at = now();
  const entry = await editing.put(key, value, ttl === undefined ? {} : { ttl });
  tell({ type: 'asked', key, revision: String(entry.revision), at });
}

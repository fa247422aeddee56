/** A JSON document as keys: each name is one segment, each leaf one value. */

export interface Leaf {
  readonly key: string;
  /** JSON text. */
  readonly value: string;
}

/**
 * The leaves of a document in its own order. Empty objects and arrays are leaves too, so that nothing is lost;
 * a document that is no object or array is one leaf under the empty name.
 */
export function* flatten(document: unknown): Generator<Leaf> {
  if (!isBranch(document)) yield { key: segment(''), value: JSON.stringify(document) };
  else yield* below('', document);
}

function* below(prefix: string, branch: object): Generator<Leaf> {
  for (const [name, value] of Object.entries(branch)) {
    const key = prefix + segment(name);
    if (isBranch(value)) yield* below(`${key}/`, value);
    else yield { key, value: JSON.stringify(value) };
  }
}

function isBranch(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

/** A name as one segment of a key: what a key cannot hold is escaped with %, the empty name is a lone %. */
export function segment(name: string): string {
  if (name === '') return '%';
  if (name === '.' || name === '..' || name === '~rxkv') return `%${hex(name[0] as string)}${name.slice(1)}`;
  // oxlint-disable-next-line no-control-regex
  return name.replace(/[%/\u0000-\u001f\u007f-\u009f]/g, character => `%${hex(character)}`);
}

/** The name that a segment was made of. */
export function nameOf(escaped: string): string {
  if (escaped === '%') return '';
  return escaped.replace(/%([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0');
}

/** The pages are whole: links lead somewhere, and what is exported is explained. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KvError, type KvErrorCode } from 'rxkv';
import * as rxkv from 'rxkv';
import { describe, expect, test } from 'vitest';
import { pages, root } from './pages.js';

/** Complete, or it does not compile. */
const codes: Record<KvErrorCode, true> = {
  unavailable: true,
  timeout: true,
  overloaded: true,
  'session-lost': true,
  'lock-lost': true,
  conflict: true,
  denied: true,
  invalid: true,
  unsupported: true,
  undecodable: true,
  aborted: true,
  closed: true,
  internal: true,
};

const all = pages();

function source(path: string): string {
  const page = all.find(candidate => candidate.path === path);
  if (page === undefined) throw new Error(`there is no ${path}`);
  return page.source;
}

/** The sections of a page, by the heading of second level. */
function sections(path: string): Map<string, string> {
  const [, ...parts] = source(path).split(/^## /m);
  return new Map(parts.map(part => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n'))]));
}

/** As GitHub names a heading in links. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

function brokenLinks({ path, source: text }: { path: string; source: string }): string[] {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(match => match[1] as string).filter(link => !/^[a-z]+:/.test(link));
  return links.filter(link => {
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? path : join(dirname(path), file);
    if (!existsSync(join(root, target))) return true;
    return anchor !== undefined && !anchorsOf(all.find(page => page.path === target)?.source ?? '').includes(anchor);
  });
}

describe('links lead somewhere:', () => {
  test.each(all.map(page => [page.path, page] as const))('%s', (_path, page) => expect(brokenLinks(page)).toEqual([]));

  test('one that does not is found out', () => {
    const planted = '[a](nowhere.md) [b](errors.md#nothing) [c](errors.md#outcome-unknown) [d](https://elsewhere.example)';
    expect(brokenLinks({ path: 'docs/planted.md', source: planted })).toEqual(['nowhere.md', 'errors.md#nothing']);
  });
});

describe('docs/errors.md', () => {
  const errors = sections('docs/errors.md');

  test('has a heading for each code, and for none that there is not', () => {
    const others = ['Outcome unknown', 'Conflicts'];
    expect([...errors.keys()].filter(heading => !others.includes(heading))).toEqual(Object.keys(codes));
  });

  test.each(Object.keys(codes) as KvErrorCode[])(
    'says of %s its cause, what rxkv did, the remedy, and rightly whether it is transient',
    code => {
      const section = errors.get(code) ?? '';
      for (const part of ['**Cause.**', '**What rxkv did.**', '**Remedy.**']) expect(section).toContain(part);
      expect(section).toContain(`**Transient: ${new KvError(code, '').transient ? 'yes' : 'no'}.**`);
    },
  );
});

test('docs/operators.md has a heading for each operator', () => {
  const helpers = ['createStore', 'KvError', 'text', 'mapKeys', 'bytes', 'utf8', 'json'];
  const operators = Object.keys(rxkv).filter(name => !helpers.includes(name));
  expect([...sections('docs/operators.md').keys()].sort()).toEqual(operators.sort());
});

test('docs/guarantees.md has all twelve, each with what is not promised', () => {
  const twelve = source('docs/guarantees.md').split(/^### /m).slice(1);
  expect(twelve.map(section => section.slice(0, section.indexOf('.')))).toEqual(Array.from({ length: 12 }, (_, i) => String(i + 1)));
  for (const section of twelve) expect(section).toContain('*Not promised:*');
});

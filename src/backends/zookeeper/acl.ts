/** Access lists: who may do what with the nodes that a store makes. */
import { createHash } from 'node:crypto';
import type { PasswordAuth } from '../../auth.js';
import { invalid } from '../../errors.js';
import { checkOptions } from '../../options.js';
import type { Access } from './wire.js';

/** `can` is any of r (read), w (write), c (create below), d (delete below), a (change the list itself); all by default. */
export type Rule = { can?: string } & (
  | { world: true }
  /** Whoever the store is: needs `auth`. */
  | { creator: true }
  /** A user of the scheme `digest`. */
  | { user: PasswordAuth }
  /** An address, or a net such as `10.0.0.0/8`. */
  | { ip: string }
);

const bits: ReadonlyMap<string, number> = new Map([
  ['r', 1],
  ['w', 2],
  ['c', 4],
  ['d', 8],
  ['a', 16],
]);
const everything = 31;

/**
 * The list as it travels.
 *
 * @throws KvError `invalid`
 */
export function accessOf(rules: readonly Rule[] | undefined, auth: PasswordAuth | undefined, where: string): readonly Access[] {
  if (rules === undefined) return auth === undefined ? [{ permissions: everything, scheme: 'world', id: 'anyone' }] : [creator(everything)];
  if (!Array.isArray(rules) || rules.length === 0) throw invalid(`acl of ${where} is a list of rules: [{ world: true, can: 'r' }]`);
  return rules.map(rule => ruleOf(rule, auth, where));
}

function ruleOf(rule: Rule, auth: PasswordAuth | undefined, where: string): Access {
  if (typeof rule !== 'object' || rule === null) throw invalid(`a rule in acl of ${where} is an object`);
  checkOptions(rule, ['world', 'creator', 'user', 'ip', 'can'], `a rule in acl of ${where}`);
  const { world, creator: own, user, ip, can } = rule as { world?: true; creator?: true; user?: PasswordAuth; ip?: string; can?: string };
  if ([world, own, user, ip].filter(named => named !== undefined).length !== 1)
    throw invalid(`a rule in acl of ${where} names one of world, creator, user and ip`);
  const permissions = permissionsOf(can, where);
  if (world !== undefined) {
    if (world !== true) throw invalid(`world in acl of ${where} is true`);
    return { permissions, scheme: 'world', id: 'anyone' };
  }
  if (own !== undefined) {
    if (own !== true) throw invalid(`creator in acl of ${where} is true`);
    if (auth === undefined) throw invalid(`creator in acl of ${where} needs auth: { username, password }`);
    return creator(permissions);
  }
  if (ip !== undefined) {
    if (typeof ip !== 'string' || !/^[0-9a-f.:]+(?:\/\d{1,3})?$/i.test(ip)) throw invalid(`ip in acl of ${where} is an address or a net`);
    return { permissions, scheme: 'ip', id: ip };
  }
  return { permissions, scheme: 'digest', id: digestOf(user, where) };
}

function permissionsOf(can: string | undefined, where: string): number {
  if (can === undefined) return everything;
  if (typeof can !== 'string' || !/^[rwcda]+$/.test(can)) throw invalid(`can in acl of ${where} is letters of "rwcda"`);
  return [...new Set(can)].reduce((sum, letter) => sum + (bits.get(letter) ?? 0), 0);
}

function creator(permissions: number): Access {
  return { permissions, scheme: 'auth', id: '' };
}

function digestOf(user: PasswordAuth | undefined, where: string): string {
  checkOptions(user, ['username', 'password'], `user in acl of ${where}`);
  if (typeof user?.username !== 'string' || typeof user.password !== 'string' || user.username === '' || user.username.includes(':'))
    throw invalid(`user in acl of ${where} is { username, password }`);
  return `${user.username}:${createHash('sha1').update(`${user.username}:${user.password}`).digest('base64')}`;
}

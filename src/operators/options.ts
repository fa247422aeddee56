/** Options of the operators, checked when the operator is made: a misspelt one must not be silently without effect. */
import { KvError } from '../errors.js';

/**
 * Whether all given options are among the known ones.
 *
 * @throws KvError `invalid` naming the option, the operator and what it knows
 */
export function checkOptions(operator: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new KvError('invalid', `the options of ${operator}() are an object`);
  const unknown = Object.keys(options).find(name => !known.includes(name));
  if (unknown !== undefined) throw new KvError('invalid', `unknown option "${unknown}" of ${operator}(): it knows ${known.join(', ')}`);
}

/** @throws KvError `invalid` unless `value` is one of those that the option takes */
export function checkChoice(operator: string, option: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  throw new KvError('invalid', `option ${option} of ${operator}() is ${choices.map(choice => `"${choice}"`).join(' or ')}`);
}

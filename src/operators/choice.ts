/** A choice: an option that takes one of a few words. */
import { invalid } from '../errors.js';

/** @throws KvError `invalid` unless `value` is one of those that the option takes */
export function checkChoice(where: string, option: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  throw invalid(`option ${option} of ${where} is ${choices.map(choice => `"${choice}"`).join(' or ')}`);
}

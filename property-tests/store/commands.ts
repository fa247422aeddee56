/** Commands: actions on a store as fast-check draws and shrinks them. */
import { fc } from '@fast-check/vitest';
import type { Action } from './actions.js';
import type { Model } from './model.js';
import type { Run } from './run.js';

/** An action as fast-check drives it. */
class Command implements fc.AsyncCommand<Model, Run> {
  private readonly action: Action;

  constructor(action: Action) {
    this.action = action;
  }

  check(): boolean {
    return true;
  }

  async run(_model: Model, run: Run): Promise<void> {
    if (run.allows(this.action)) await run.perform(this.action);
  }

  toString(): string {
    return JSON.stringify(this.action);
  }
}

/** Lists of them, up to so many. */
export function commandsOf(
  actions: readonly fc.Arbitrary<Action>[],
  maxCommands: number,
): fc.Arbitrary<Iterable<fc.AsyncCommand<Model, Run>>> {
  return fc.commands(
    actions.map(arbitrary => arbitrary.map(action => new Command(action))),
    { maxCommands, size: 'max' },
  );
}

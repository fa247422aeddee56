/** The ESM and the CommonJS copy in one process: what crosses between them is recognised by brand. */
import { expect, inject, test } from 'vitest';
import { execute } from './execute.js';

test('each copy understands the errors, snapshots and drivers of the other', async () => {
  const { stdout } = await execute(process.execPath, ['two-copies.mjs'], inject('consumer'));
  const understood = {
    recognised: true,
    code: 'conflict',
    plain: false,
    changes: [
      ['added', 'config/colour', 'blue'],
      ['modified', 'config/colour', 'red'],
      ['added', 'config/size', '7'],
    ],
    mixed: 'x',
  };
  expect(JSON.parse(stdout)).toEqual({ apart: true, native: true, 'cjs reads esm': understood, 'esm reads cjs': understood });
});

import { describe, expect, test, vi } from 'vitest';
import { instantOf } from '../../../src/backends/local/row.js';

describe('instantOf', () => {
  test('asks each clock when it is first needed, and never again', () => {
    const clocks = { boot: 'this', wall: vi.fn(() => 5), monotonic: vi.fn(() => 7) };
    const at = instantOf(clocks);

    expect(clocks.wall).not.toHaveBeenCalled();
    expect(clocks.monotonic).not.toHaveBeenCalled();
    expect([at.wall, at.wall, at.monotonic, at.monotonic, at.boot]).toEqual([5, 5, 7, 7, 'this']);
    expect(clocks.wall).toHaveBeenCalledOnce();
    expect(clocks.monotonic).toHaveBeenCalledOnce();
  });
});

/** What every server of ours must do, whichever it is: one file of specs for each runs these. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Server } from './server.js';
import { showLogsOnFailure } from './suite.js';
import { until } from './until.js';

export interface Lived<S extends Server> {
  readonly start: () => Promise<S>;
  readonly write: (server: S, key: string, value: string) => Promise<unknown>;
  /** undefined where the key is absent; rejects where the server does not answer. */
  readonly read: (server: S, key: string) => Promise<string | undefined>;
}

/** Starts one server for the tests it declares, in this order. Call it in a describe. */
export function lifecycle<S extends Server>({ start, write, read }: Lived<S>): void {
  let server: S;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  showLogsOnFailure(() => server.log());

  test('answers when it has started', async () => {
    await write(server, 'k', 'value');
    expect(await read(server, 'k')).toBe('value');
  });

  test('is another process with the same port and data after it was killed', async () => {
    const { pid, port } = server;
    await write(server, 'kept', 'value');
    await server.restart('kept');
    expect(server.pid).not.toBe(pid);
    expect(server.port).toBe(port);
    expect(await read(server, 'kept')).toBe('value');
    expect(isAlive(pid)).toBe(false);
  });

  test('says nothing while it is paused, and goes on where it was', async () => {
    await until('it to take a write', () => write(server, 'paused', 'value').then(() => true));
    server.pause();
    try {
      await expect(read(server, 'paused')).rejects.toThrow();
    } finally {
      server.resume();
    }
    expect(await until('it to go on', () => read(server, 'paused'))).toBe('value');
  });

  test('is down when stopped, even while paused, and has its data when started', async () => {
    await write(server, 'stopped', 'value');
    const { pid } = server;
    server.pause();
    await server.stop();
    expect(server.pid).toBeUndefined();
    expect(isAlive(pid)).toBe(false);
    await expect(read(server, 'stopped')).rejects.toThrow();
    await server.start();
    expect(await read(server, 'stopped')).toBe('value');
  });

  test('has nothing when its data was lost', async () => {
    await write(server, 'lost', 'value');
    await server.restart('lost');
    expect(await read(server, 'lost')).toBeUndefined();
    await write(server, 'new', 'value');
    expect(await read(server, 'new')).toBe('value');
  });

  test('its log tells of every start and end', () => {
    expect(server.log().split('--- start').length - 1).toBe(4);
    expect(server.log()).toContain('--- ended: SIGKILL');
  });
}

export function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Capabilities: what a driver says of itself is whole, sane and kept to. */
import type { Capabilities } from '../capabilities.js';
import { KvError } from '../errors.js';
import { createStore } from '../store.js';
import { onTwo, proof, type Capability, type Topic } from './topic.js';
import { refused } from './waiting.js';

/** The words of each capability that is one. */
const words: Readonly<Partial<Record<keyof Capabilities, readonly unknown[]>>> = {
  atomic: ['range', 'keys', 'key'],
  consistentList: [true, false],
  strongReads: ['linearizable', 'best-effort'],
  compareAndSet: ['exact', 'own-writers'],
  locks: ['strict', 'advisory'],
  fair: [true, false],
  resumes: [true, false],
  ttlBoundTo: ['server', 'session'],
};

/** Those that are a number over 0; no limit is Infinity. */
const limits: readonly (keyof Capabilities)[] = ['minTtl', 'maxTtl', 'maxKey', 'maxValue', 'maxTransaction', 'maxOps'];

/** Over this the suite does not try to exceed a limit: it is the memory of the test that would end. */
const enormous = 67_108_864;

const boundedValues: Capability = { absent: 'maxValue is over 64 MB', present: ({ maxValue }) => maxValue <= enormous };

export const capabilities: Topic = {
  name: 'capabilities',
  proofs: [
    proof('capabilities are declared whole, and sane', async ({ writer, writing, expect }) => {
      const declared = writing.driver.capabilities;
      expect(writer.capabilities).toEqual(declared);
      for (const [name, known] of Object.entries(words)) expect(known).toContain(declared[name as keyof Capabilities]);
      for (const name of limits) expect(declared[name] as number).toBeGreaterThan(0);
      expect(declared.ttlLag).toBeGreaterThanOrEqual(0);
      expect(Number.isFinite(declared.minTtl) && Number.isFinite(declared.ttlLag)).toBe(true);
      expect(declared.minTtl).toBeLessThanOrEqual(declared.maxTtl);
      expect(declared.maxKey).toBeGreaterThanOrEqual(1);
      expect(declared.maxOps).toBeGreaterThanOrEqual(1);
      expect(declared.maxTransaction).toBeGreaterThanOrEqual(Math.min(declared.maxValue, enormous));
      expect(Object.keys(declared).sort()).toEqual([...Object.keys(words), ...limits, 'ttlLag'].sort());
    }),

    proof('capabilities are known before any I/O, and ready() may only narrow them', { ways: onTwo }, async ({ bare, expect }) => {
      const driver = await bare();
      const before = { ...driver.capabilities };
      const after = await driver.ready({ timeout: 10_000 });
      for (const name of ['maxKey', 'maxValue', 'maxTransaction', 'maxOps', 'maxTtl'] as const) {
        expect(after[name]).toBeLessThanOrEqual(before[name]);
      }
      expect(after.minTtl).toBeGreaterThanOrEqual(before.minTtl);
      for (const name of ['atomic', 'strongReads', 'compareAndSet', 'locks'] as const) {
        expect(words[name]?.indexOf(after[name])).toBeGreaterThanOrEqual(words[name]?.indexOf(before[name]) ?? 0);
      }
      for (const name of ['consistentList', 'fair', 'resumes'] as const) expect(before[name] || !after[name]).toBe(true);
    }),

    proof('ready() resolves, and again, and the store knows its backend', async ({ writer, reading, writing, expect }) => {
      await writer.ready();
      await writer.ready({ timeout: 10_000 });
      expect(writer.backend).toBe(writing.driver.name);
      expect(writer.backend.length).toBeGreaterThan(0);
      expect(reading.store.native).toBe(reading.driver.native);
    }),

    proof('health() says ok, how long a round trip takes, and its warnings', async ({ writer, expect }) => {
      const health = await writer.health();
      expect(health.ok).toBe(true);
      expect(Number.isFinite(health.latency) && health.latency >= 0).toBe(true);
      expect(Array.isArray(health.warnings)).toBe(true);
      for (const warning of health.warnings) expect(typeof warning).toBe('string');
      for (const name of ['endpoint', 'leader'] as const) expect(['string', 'undefined']).toContain(typeof health[name]);
      expect(health.members === undefined || Array.isArray(health.members)).toBe(true);
      expect(health.error).toBeUndefined();
    }),

    proof('status$ says the current status first, and live once something was answered', async ({ connect, record, expect }) => {
      const { store } = await connect();
      const asked = Date.now();
      const status = record(store.status$);
      expect((await status.first('the current status')).state).toBe('idle');
      await store.get('k');
      const live = await status.next(({ state }) => state === 'live', 'live');
      expect(live.since).toBeGreaterThanOrEqual(asked - 1000);
      expect(live.error).toBeUndefined();
      for (const { state } of status.values) expect(['idle', 'connecting', 'live']).toContain(state);
    }),

    proof('a driver belongs to one store: a second createStore of it is invalid', { ways: onTwo }, async ({ writing, expect }) => {
      let thrown: unknown;
      try {
        createStore(writing.driver);
      } catch (error) {
        thrown = error;
      }
      expect(KvError.is(thrown) && thrown.code).toBe('invalid');
    }),

    proof(
      'a value of maxValue bytes is taken, one byte more is invalid before any write',
      { capable: boundedValues, ways: onTwo },
      async context => {
        const { writer, reader, capabilities, expect } = context;
        const { maxValue } = capabilities;
        await writer.put('most', new Uint8Array(maxValue).fill(120));
        expect((await reader.get('most'))?.value.length).toBe(maxValue);
        const over = new Uint8Array(maxValue + 1);
        await refused(() => writer.put('over', over), 'invalid', 'a put of maxValue and one bytes');
        await refused(() => writer.atomicPut('over', over, undefined), 'invalid', 'an atomicPut of it');
        await refused(() => writer.update('over', () => over), 'invalid', 'an update to it');
        await refused(() => writer.transaction({ ops: [{ put: 'over', value: over }] }), 'invalid', 'a transaction with it');
        expect(await reader.exists('over')).toBe(false);
      },
    ),

    proof(
      'a value that is too large costs no round trip',
      { capable: boundedValues, ways: onTwo, hooks: ['roundTrips'] },
      async context => {
        const { harness, writer, writing, capabilities, expect } = context;
        const { maxValue } = capabilities;
        await writer.get('warm');
        const before = harness.roundTrips?.(writing.driver);
        await refused(() => writer.put('over', new Uint8Array(maxValue + 1)), 'invalid', 'a put of maxValue and one bytes');
        expect(harness.roundTrips?.(writing.driver)).toBe(before);
      },
    ),
  ],
};

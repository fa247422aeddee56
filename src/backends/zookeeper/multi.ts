/** A multi: several writes of ZooKeeper as one, in steps that are carried out one after the other, or not at all. */
import { type Reader, Writer } from './buffers.js';
import type { Route } from './call.js';
import { code, opcode } from './numbers.js';
import { type Access, multiHeader, pathAndVersion, readCreated, readStat, Request, type Stat, writeCreate } from './wire.js';

/** One step of a multi. A version of -1 is any. */
export type Step =
  | { readonly create: string; readonly data: Uint8Array | undefined; readonly ephemeral?: boolean; readonly ttl?: number }
  | { readonly set: string; readonly data: Uint8Array | undefined; readonly version: number }
  | { readonly delete: string; readonly version: number }
  | { readonly check: string; readonly version: number };

export type MultiAnswer =
  /** The stat of each `set`, undefined of the rest. */
  | { readonly ok: true; readonly stats: readonly (Stat | undefined)[] }
  /** The first step that was refused, and why. */
  | { readonly ok: false; readonly at: number; readonly code: number };

/** All steps, one after the other, or none. */
export function multi(steps: readonly Step[], acl: readonly Access[]): Request<MultiAnswer> {
  return new Request(
    opcode.multi,
    to => {
      for (const step of steps) writeStep(to, step, acl);
      multiHeader(to, -1, true);
    },
    readMulti,
  );
}

/** Sends the steps, once. @param timeout  ms */
export async function transact(
  route: Route,
  steps: readonly Step[],
  { acl, timeout }: { readonly acl: readonly Access[]; readonly timeout: number },
): Promise<MultiAnswer & { readonly zxid: bigint }> {
  const { value, zxid } = await route.call({
    send: (connection, deadline) => connection.send(multi(steps, acl), deadline),
    repeatable: false,
    timeout,
  });
  return { ...value, zxid };
}

/** Bytes of a multi of these steps. */
export function sizeOfMulti(steps: readonly Step[], acl: readonly Access[]): number {
  const writer = new Writer(4096);
  for (const step of steps) writeStep(writer, step, acl);
  return writer.length + 8 + 9;
}

function writeStep(to: Writer, step: Step, acl: readonly Access[]): void {
  if ('create' in step) {
    multiHeader(to, step.ttl === undefined ? opcode.create : opcode.createTtl, false);
    writeCreate(to, step.create, step.data, acl, step.ttl !== undefined ? 5 : step.ephemeral === true ? 1 : 0);
    if (step.ttl !== undefined) to.long(BigInt(step.ttl));
  } else if ('set' in step) {
    multiHeader(to, opcode.setData, false);
    to.text(step.set);
    to.bytes(step.data);
    to.int(step.version);
  } else if ('delete' in step) {
    multiHeader(to, opcode.delete, false);
    pathAndVersion(to, step.delete, step.version);
  } else {
    multiHeader(to, opcode.check, false);
    pathAndVersion(to, step.check, step.version);
  }
}

function readMulti(from: Reader): MultiAnswer {
  const stats: (Stat | undefined)[] = [];
  let refused: { at: number; code: number } | undefined;
  for (;;) {
    const type = from.int();
    const done = from.flag();
    from.int();
    if (done) return refused === undefined ? { ok: true, stats } : { ok: false, ...refused };
    if (type === opcode.error) {
      const error = from.int();
      // The steps before and after the one that was refused are told as 0 and as an inconsistency.
      if (error !== 0 && error !== code.runtimeInconsistency) refused ??= { at: stats.length, code: error };
    }
    stats.push(readStep(type, from));
  }
}

function readStep(type: number, from: Reader): Stat | undefined {
  if (type === opcode.create) from.text();
  else if (type === opcode.create2 || type === opcode.createContainer || type === opcode.createTtl) readCreated(from);
  else if (type === opcode.setData) return readStat(from);
  return undefined;
}

/** An operator of etcd: what is seen and done on the servers themselves, beside any client of ours. */
import { ask } from '../../servers/ask.js';
import { base64, type Etcd } from '../../servers/etcd.js';

/** Whose rights the operator has, where the servers want a user. */
export interface User {
  readonly username: string;
  readonly password: string;
}

export class Operator {
  private readonly members: readonly Etcd[];
  private readonly user: User | undefined;

  constructor(members: readonly Etcd[], user?: User) {
    this.members = members;
    this.user = user;
  }

  /** Watches that the servers keep. */
  watches(): Promise<number> {
    return this.metric('etcd_debugging_mvcc_watcher_total');
  }

  /** Streams that those watches are on. */
  streams(): Promise<number> {
    return this.metric('etcd_debugging_mvcc_watch_stream_total');
  }

  /** Messages that the servers have sent so far, answers and streams alike. */
  messages(): Promise<number> {
    return this.metric('grpc_server_msg_sent_total');
  }

  async leases(): Promise<number> {
    const { leases = [] } = await this.call<{ leases?: unknown[] }>('lease/leases', {});
    return leases.length;
  }

  /** How many keys begin so. */
  async count(prefix: string): Promise<number> {
    return (await this.keys(prefix)).length;
  }

  /** The keys that begin so, in the order of their creation. */
  async keys(prefix: string): Promise<string[]> {
    const end = prefix === '' ? '\0' : prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
    const order = { sort_target: 'CREATE', sort_order: 'ASCEND', keys_only: true };
    const range = { key: base64(prefix === '' ? '\0' : prefix), range_end: base64(end), ...order };
    const { kvs = [] } = await this.call<{ kvs?: { key: string }[] }>('kv/range', range);
    return kvs.map(({ key }) => Buffer.from(key, 'base64').toString());
  }

  async revision(): Promise<bigint> {
    const { header } = await this.call<{ header: { revision: string } }>('kv/range', { key: base64('none'), count_only: true });
    return BigInt(header.revision);
  }

  /** Forgets all revisions before the one of now. */
  async compact(): Promise<void> {
    await this.call('kv/compaction', { revision: String(await this.revision()), physical: true });
  }

  /** @param session  its id as a driver tells it. One that has ended is no error */
  async revoke(session: string): Promise<void> {
    await this.answer('lease/revoke', { ID: BigInt(`0x${session}`).toString() });
  }

  /** Writes as another client would, any bytes for a key. */
  async put(key: Uint8Array, value: string): Promise<void> {
    await this.call('kv/put', { key: Buffer.from(key).toString('base64'), value: base64(value) });
  }

  /** Makes all signed tokens older than the rights of users. */
  async addRole(name: string): Promise<void> {
    await this.call('auth/role/add', { name });
  }

  async delete(key: string): Promise<void> {
    await this.call('kv/deleterange', { key: base64(key) });
  }

  private async call<T>(path: string, body: object): Promise<T> {
    const { status, body: answer } = await this.answer(path, body);
    if (status !== 200) throw new Error(`etcd refused ${path}: ${status} ${answer}`);
    return JSON.parse(answer) as T;
  }

  private async answer(path: string, body: object): ReturnType<Etcd['call']> {
    const [member] = this.members;
    if (member === undefined) throw new Error('an operator of no members');
    // Each time anew: tokens lapse, and a restart forgets them.
    return member.call(path, body, this.user && (await member.login(this.user)));
  }

  /** The sum of a metric over its labels and all members. */
  private async metric(name: string): Promise<number> {
    const each = await Promise.all(this.members.map(({ url, certificates }) => ask(`${url}/metrics`, { certificates })));
    const values = each.flatMap(({ body }) =>
      [...body.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].map(([, value]) => Number(value)),
    );
    if (values.length === 0) throw new Error(`etcd has no metric ${name}`);
    return values.reduce((sum, value) => sum + value, 0);
  }
}

/**
 * The wire: etcd's messages as they travel, as far as we use them. Whole numbers of 64 bits are decimal strings.
 * Not etcd3's own types, so that no declaration of ours needs that package.
 */

export interface Kv {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly create_revision: string;
  readonly mod_revision: string;
  readonly lease: string;
}

export interface Header {
  readonly cluster_id: string;
  readonly member_id: string;
  readonly revision: string;
}

/** A key alone, or all from `key` to before `range_end`; `\0` as its end is endless. */
export interface KeyRange {
  readonly key: Uint8Array;
  readonly range_end?: Uint8Array | undefined;
}

export interface RangeRequest extends KeyRange {
  readonly limit?: number;
  readonly revision?: string;
  readonly serializable?: boolean;
  readonly keys_only?: boolean;
  readonly count_only?: boolean;
  readonly min_mod_revision?: string;
  readonly max_create_revision?: string;
  readonly sort_target?: 'Create';
  readonly sort_order?: 'Descend';
}

export interface RangeResponse {
  readonly header: Header;
  readonly kvs: readonly Kv[];
  readonly more: boolean;
  readonly count: string;
}

export interface PutRequest {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease?: string;
  readonly prev_kv?: boolean;
  readonly ignore_lease?: boolean;
}

export interface PutResponse {
  readonly header: Header;
  readonly prev_kv: Kv | null;
}

export interface DeleteResponse {
  readonly header: Header;
  readonly deleted: string;
}

export interface Compare {
  readonly key: Uint8Array;
  readonly target: 'Create' | 'Mod';
  readonly result: 'Equal' | 'Greater';
  readonly create_revision?: string;
  readonly mod_revision?: string;
}

export type RequestOp =
  | { readonly request_range: RangeRequest }
  | { readonly request_put: PutRequest }
  | { readonly request_delete_range: KeyRange }
  | { readonly request_txn: TxnRequest };

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface ResponseOp {
  readonly response_range?: RangeResponse;
  readonly response_put?: PutResponse;
  readonly response_delete_range?: DeleteResponse;
  readonly response_txn?: TxnResponse;
}

export interface TxnResponse {
  readonly header: Header;
  readonly succeeded: boolean;
  readonly responses: readonly ResponseOp[];
}

export interface GrantResponse {
  readonly ID: string;
  /** Seconds. */
  readonly TTL: string;
}

export interface KeepAliveResponse {
  readonly ID: string;
  /** Seconds; 0 where the lease has ended. */
  readonly TTL: string;
}

export interface StatusResponse {
  readonly header: Header;
  readonly version: string;
  readonly leader: string;
  /** Of 3.5 and later. */
  readonly errors?: readonly string[];
}

export interface MembersResponse {
  readonly members: readonly { readonly ID: string; readonly name: string; readonly clientURLs: readonly string[] }[];
}

export interface WatchCreate extends KeyRange {
  readonly start_revision: string;
  readonly watch_id: string;
  readonly fragment: true;
  readonly progress_notify: true;
}

export type WatchRequest =
  | { readonly create_request: WatchCreate }
  | { readonly cancel_request: { readonly watch_id: string } }
  | { readonly progress_request: Record<string, never> };

export interface WatchEvent {
  readonly type: 'Put' | 'Delete';
  readonly kv: Kv;
}

export interface WatchResponse {
  readonly header: Header;
  readonly watch_id: string;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: string;
  readonly cancel_reason: string;
  readonly fragment: boolean;
  readonly events: readonly WatchEvent[];
}

/** A stream in both directions. Needs a listener for 'error' as long as it lives: cancel() is one, too. */
export interface Duplex<Request, Response> {
  write(request: Request): void;
  cancel(): void;
  on(event: 'data', listen: (response: Response) => void): unknown;
  on(event: 'error', listen: (error: Error) => void): unknown;
  on(event: 'end', listen: () => void): unknown;
}

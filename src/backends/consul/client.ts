/**
 * The client: the package consul as a transport to one agent, with none of its policies.
 *
 * Its own watch loses writes and repeats them, it makes `undefined` of a refusal, and it waits for ever for an answer
 * that breaks off; so only its requests are used, their TLS and their sockets. Two of it: queries that block have their
 * sockets to themselves, or calls would wait behind them.
 */
import type { EventEmitter } from 'node:events';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Deadlines } from '../../deadline.js';
import type { TlsOptions } from '../../tls.js';
import { notLoaded } from './errors.js';
import type { Settings } from './options.js';
import type { Answer, Request } from './wire.js';

/** A request that is under way. */
export interface Asking {
  readonly answer: Promise<Answer>;
  /** Gives it up: the answer rejects, and the socket is closed. */
  cancel(): void;
}

export interface AskOptions {
  readonly token: string | undefined;
  /** ms without any sign of an answer; counted anew from each part of it where `heard` is given. */
  readonly patience: number;
  /** Called with each part of an answer. */
  readonly heard?: () => void;
}

/** One agent. */
export interface Client {
  readonly host: string;
  /** The Consul itself, which calls go through. */
  readonly native: unknown;
  call(request: Request, options: AskOptions): Asking;
  /** On a socket of its own: a query that blocks. */
  block(request: Request, options: AskOptions): Asking;
  close(): void;
}

/** What we rely on of the client, which its types leave out. */
interface Consul {
  _request(options: object): Promise<Response>;
  _ext(event: 'onRequest', extend: (request: Outgoing, next: () => void) => void): void;
  destroy(): void;
}

type ConsulClass = new (options: object) => Consul;

interface Response {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body?: Buffer;
}

/** A request as the client is about to send it, and its answer once that has begun. */
interface Outgoing {
  readonly opts: { readonly sent: (exchange: Exchange) => void };
  readonly res?: { readonly complete: boolean };
  transport: { request(options: object): Exchange };
}

interface Exchange extends EventEmitter {
  once(event: 'response', listen: (incoming: EventEmitter) => void): this;
  once(event: 'close', listen: () => void): this;
  destroy(): void;
}

/** Statuses that answer the question; others are errors. */
const telling = new Set([404, 409]);
/** ms that the socket of a query may be idle: with the longest wait in between it must not be closed under one. */
const idle = 60_000;

/** A client of one agent. Connects with its first request. */
export async function openClient(settings: Settings, host: string): Promise<Client> {
  const Consul = await load();
  const { tls, connections } = settings;
  const make = (sockets: number, timeout?: number): Consul => {
    const pool = { keepAlive: true, maxSockets: sockets, maxFreeSockets: sockets, ...(timeout === undefined ? {} : { timeout }) };
    const agent = tls === undefined ? new HttpAgent(pool) : new HttpsAgent(pool);
    const scheme = tls === undefined ? 'http' : 'https';
    const consul = new Consul({ baseUrl: `${scheme}://${host}/v1`, agent, ...(tls === undefined ? {} : credentialsOf(tls)) });
    consul._ext('onRequest', watchOver);
    return consul;
  };
  // Those of calls are few and stay: to watch over their idleness costs each call.
  const [calls, queries] = [make(connections.calls), make(connections.watches, idle)];
  const underway = new Set<Asking>();
  const deadlines = new Deadlines();
  const ask = (consul: Consul, request: Request, options: AskOptions): Asking => {
    const asking = send(consul, deadlines, request, options, () => underway.delete(asking));
    underway.add(asking);
    return asking;
  };
  return {
    host,
    native: calls,
    call: (request, options) => ask(calls, request, options),
    block: (request, options) => ask(queries, request, options),
    close() {
      for (const asking of underway) asking.cancel();
      deadlines.close();
      calls.destroy();
      queries.destroy();
    },
  };
}

/** @param ended  called before the answer settles */
function send(
  consul: Consul,
  deadlines: Deadlines,
  { method, path, key, query, body }: Request,
  { token, patience, heard }: AskOptions,
  ended: () => void,
): Asking {
  let exchange: Exchange | undefined;
  const giveUp = (error: Error): void => {
    exchange?.destroy();
    // At once, also where it has no socket yet: the client hears no more of it.
    exchange?.emit('error', error);
  };
  const expire = (): void => giveUp(Object.assign(new Error(`no answer within ${patience} ms`), { isTimeout: true }));
  let inTime = deadlines.enter(patience, expire);
  const sent = (started: Exchange): void => {
    exchange = started;
    if (heard === undefined) return;
    const alive = (): void => {
      inTime();
      inTime = deadlines.enter(patience, expire);
      heard();
    };
    started.once('response', incoming => incoming.on('data', alive));
  };
  const params = key === undefined ? undefined : { key };
  const headers = token === undefined ? undefined : { 'x-consul-token': token };
  const answer = consul._request({ method, path, params, query, body, headers, buffer: true, sent }).then(
    response => {
      inTime();
      ended();
      if (!isJson(response)) throw Object.assign(new Error('an answer that is no JSON'), { response });
      return answerOf(response);
    },
    (error: unknown) => {
      inTime();
      ended();
      const { response } = error as { response?: Response };
      if (response !== undefined && tells(response, path)) return answerOf(response);
      throw error;
    },
  );
  return { answer, cancel: () => giveUp(new Error('given up')) };
}

/** Of a key that is absent Consul says 404 with the index of that: one without is of a proxy, or of another server. */
function tells({ statusCode, headers }: Response, path: string): boolean {
  return telling.has(statusCode) && !(statusCode === 404 && path.startsWith('/kv/') && headers['x-consul-index'] === undefined);
}

/** Consul's answers are; a page is of a proxy, or of another server. */
function isJson({ headers }: Response): boolean {
  return headers['content-type'] === undefined || headers['content-type'].includes('json');
}

function answerOf({ statusCode, headers, body }: Response): Answer {
  return {
    status: statusCode,
    index: BigInt(headers['x-consul-index'] ?? 0),
    filtered: headers['x-consul-results-filtered-by-acls'] === 'true',
    body: body ?? Buffer.alloc(0),
  };
}

/** Tells of a request that is sent, and makes an error of an answer that breaks off, which the client would wait on for ever. */
function watchOver(outgoing: Outgoing, next: () => void): void {
  const { transport, opts } = outgoing;
  outgoing.transport = {
    request(options) {
      const exchange = transport.request(options);
      exchange.once('close', () => {
        if (outgoing.res?.complete === false)
          exchange.emit('error', Object.assign(new Error('the answer broke off'), { code: 'ECONNRESET' }));
      });
      opts.sent(exchange);
      return exchange;
    },
  };
  next();
}

async function load(): Promise<ConsulClass> {
  try {
    // The cast is the confession for all of this file: the client's types know neither its requests nor its hooks.
    const { default: Consul } = (await import('consul')) as unknown as { default: ConsulClass };
    return Consul;
  } catch (error) {
    throw notLoaded(error);
  }
}

function credentialsOf({ ca, cert, key, ...rest }: TlsOptions): object {
  const pems = Object.entries({ ca, cert, key }).filter(([, pem]) => pem !== undefined);
  return { ...rest, ...Object.fromEntries(pems.map(([name, pem]) => [name, Buffer.from(pem as string)])) };
}

/** A front: what stands before an agent and sees each request; a test answers some of them itself, holds others up, or breaks them off. */
import { createServer, type IncomingMessage, request as overHttp, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Seen {
  readonly method: string;
  /** Below /v1, with its query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What becomes of a request: passed on where nothing is said. */
export interface Verdict {
  /** Waited for before anything else is done. */
  readonly after?: Promise<unknown>;
  /** An answer of our own. */
  readonly answer?: { readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> };
  /** The answer breaks off in its middle. */
  readonly truncated?: boolean;
  /** Headers of the agent's answer that are said otherwise. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Front extends AsyncDisposable {
  readonly host: string;
  /** All requests so far. */
  readonly seen: readonly Seen[];
  /** Asked of each request. */
  decide: (request: Seen) => Verdict | undefined;
}

/** @param behind `host:port` of the agent */
export async function startFront(behind: string): Promise<Front> {
  const seen: Seen[] = [];
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const request = await seenOf(incoming);
      seen.push(request);
      const verdict = front.decide(request) ?? {};
      await verdict.after;
      if (verdict.answer === undefined) pass(behind, incoming, request, outgoing, verdict);
      else outgoing.writeHead(verdict.answer.status, verdict.answer.headers).end(verdict.answer.body);
    })();
  });
  server.listen(0, '127.0.0.1');
  await new Promise(resolve => {
    server.once('listening', resolve);
  });
  const front: Front = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    decide: () => undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise(resolve => {
        server.close(resolve);
      });
    },
  };
  return front;
}

async function seenOf(incoming: IncomingMessage): Promise<Seen> {
  let body = '';
  for await (const part of incoming.setEncoding('utf8')) body += String(part);
  const path = (incoming.url ?? '').replace(/^\/v1/, '');
  const { searchParams: query } = new URL(path, 'http://front');
  return { method: incoming.method ?? '', path, query, headers: incoming.headers, body };
}

function pass(behind: string, incoming: IncomingMessage, { body }: Seen, outgoing: ServerResponse, { truncated, headers }: Verdict): void {
  const [hostname, port] = behind.split(':');
  const { method, url: path } = incoming;
  const onward = overHttp({ hostname, port, method, path, headers: incoming.headers }, answer => {
    if (truncated !== true) {
      outgoing.writeHead(answer.statusCode ?? 0, { ...answer.headers, ...headers });
      answer.pipe(outgoing);
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 0, { ...answer.headers, 'content-length': '1000' });
    outgoing.write('[{"Key":', () => outgoing.destroy());
    answer.resume();
  });
  onward.on('error', () => outgoing.destroy());
  // Who gives a query up here gives it up there.
  outgoing.on('close', () => onward.destroy());
  onward.end(body);
}

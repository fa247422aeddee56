/** Asking a server over HTTP or HTTPS, one request a connection, for probes and for setting servers up. */
import { request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import type { Certificates } from './certificates.js';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface AskOptions {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Trust this authority and show the client's certificate. */
  readonly certificates?: Pick<Certificates, 'ca'> & Partial<Pick<Certificates, 'client'>>;
  /** ms until it rejects; 2000 */
  readonly timeout?: number;
}

/** Resolves with any answer, whatever its status; rejects where there is none. */
export function ask(url: string, { method = 'GET', body, headers, certificates, timeout = 2000 }: AskOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { method, headers, agent: false, signal: AbortSignal.timeout(timeout) } as const;
    const secure = { ...options, ca: certificates?.ca, ...certificates?.client };
    const asked = url.startsWith('https:') ? overHttps(url, secure) : overHttp(url, options);
    asked.once('error', reject);
    asked.once('response', response => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    asked.end(body);
  });
}

/** The cast of a soak: the processes that are running, what each has said, and the end of those that are killed. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('actor.mjs', import.meta.url));

export class Cast {
  /** What went wrong, as sentences. */
  faults = [];
  /** Processes that were killed, by role. */
  killed = { reader: 0, candidate: 0 };
  #settings;
  #running = new Map();
  #seed;

  constructor({ path, history, seed }) {
    this.#settings = { path, history };
    this.#seed = seed;
  }

  of(role) {
    return [...this.#running.values()].filter(actor => actor.role === role);
  }

  /** Starts an actor; resolves when it is at work. */
  async start(role, name) {
    const settings = { role, name, ...this.#settings, seed: ++this.#seed };
    const child = fork(script, [JSON.stringify(settings)], { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
    const actor = { role, name, child, said: [], heaps: [], rss: 0, killed: false, complaints: '' };
    this.#running.set(name, actor);
    child.stderr.on('data', chunk => (actor.complaints += chunk));
    // To ask one that has just died is no failure of its own: how it ended says more.
    child.on('error', () => {});
    child.on('message', message => this.#heard(actor, message));
    actor.exit = new Promise(resolve => child.on('close', resolve)).then(code => {
      if (this.#running.get(name) === actor) this.#running.delete(name);
      if (!actor.killed && code !== 0) this.faults.push(`${name} ended with ${code}: ${actor.complaints.trim()}`);
    });
    await this.heard(actor, 'ready');
    return actor;
  }

  /** Kills it as nothing else can, and starts another under its name. */
  async replace(actor) {
    actor.killed = true;
    this.killed[actor.role]++;
    actor.child.kill('SIGKILL');
    await actor.exit;
    return this.start(actor.role, actor.name);
  }

  ask(actor, what) {
    if (actor.child.connected) actor.child.send({ ask: what });
  }

  /** The next message with that word. */
  async heard(actor, word, limit = 30_000) {
    const end = Date.now() + limit;
    for (;;) {
      const at = actor.said.findIndex(message => word in message);
      if (at !== -1) return actor.said.splice(at, 1)[0][word];
      if (actor.child.exitCode !== null || actor.child.signalCode !== null || Date.now() > end)
        throw new Error(`${actor.name} never said "${word}": ${actor.complaints}`);
      await new Promise(resolve => setTimeout(resolve, 5));
    }
  }

  /** Tells all of a role to stop and waits for their end. */
  async stop(role) {
    await Promise.all(
      this.of(role).map(async actor => {
        this.ask(actor, 'stop');
        await actor.exit;
      }),
    );
  }

  /** Whatever is still there. */
  kill() {
    for (const actor of this.#running.values()) {
      actor.killed = true;
      actor.child.kill('SIGKILL');
    }
  }

  #heard(actor, message) {
    if ('heap' in message) {
      actor.heaps.push(message.heap);
      actor.rss = Math.max(actor.rss, message.rss);
    } else if ('fault' in message) this.faults.push(`${actor.name}: ${message.fault}`);
    else if ('entering' in message || 'section' in message || 'lost' in message) this.sections?.(actor, message);
    else actor.said.push(message);
  }
}

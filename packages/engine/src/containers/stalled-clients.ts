/**
 * Clients that do not take a process's output. conmon waits for them with everything: with the process's other clients,
 * and with telling that the process has ended. So the process is looked at for as long as somebody makes it wait, and a
 * client may not hold up others for ever.
 */
export interface StalledClient {
  /** The output no longer waits for the client. */
  release(): void;
  /** Ends the client's stay; the process goes on. */
  dismiss(): void;
}

export interface StallRules {
  /** How long a client may hold up others, in milliseconds. */
  readonly patienceMs: number;
  readonly lookMs: number;
}

const usualRules: StallRules = { patienceMs: 30_000, lookMs: 100 };

/** A client and since when it has taken nothing. */
interface Stall {
  readonly since: number;
  /** Whether the process has ended or is about to. */
  readonly isEnding: () => boolean;
  /** Whether others wait for this one. */
  readonly hasCompany: () => boolean;
}

export class StalledClients {
  readonly #rules: StallRules;
  readonly #stalls = new Map<StalledClient, Stall>();
  #timer: NodeJS.Timeout | undefined;

  constructor(rules: StallRules = usualRules) {
    this.#rules = rules;
  }

  /** @param taken settles when the client has taken what it got */
  watch(client: StalledClient, taken: Promise<void>, questions: Omit<Stall, 'since'>): void {
    const stall = { since: performance.now(), ...questions };
    this.#stalls.set(client, stall);
    this.#timer ??= setInterval(() => this.#look(), this.#rules.lookMs).unref();
    const forget = () => this.#forget(client, stall);
    taken.then(forget, forget);
  }

  #forget(client: StalledClient, stall: Stall): void {
    if (this.#stalls.get(client) === stall) this.#stalls.delete(client);
    if (this.#stalls.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const now = performance.now();
    for (const [client, stall] of this.#stalls) {
      if (stall.isEnding()) client.release();
      else if (now - stall.since >= this.#rules.patienceMs && stall.hasCompany()) client.dismiss();
    }
  }
}

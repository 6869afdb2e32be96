/**
 * The host as a router: turned into one when networks need that, and back when the daemon ends and no container is left
 * that does. What was before is committed before it is changed, so that a crash does not lose it.
 */
import type { Family } from '../base/address.ts';
import type { Log } from '../base/log.ts';
import { translatesElsewhere } from '../firewall/others.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Setting } from '../kernel/operations.ts';
import type { Store } from '../store/store.ts';

export interface ForwardingParts {
  readonly store: { readonly meta: Pick<Store['meta'], 'get' | 'put' | 'delete'> };
  readonly kernel: { readonly changes: Pick<Kernel['changes'], 'run'> };
  readonly log: Log;
}

/** What is remembered of a change, by family. */
interface Change {
  /** In which boot of the machine: the next one begins with settings of its own. */
  readonly boot: string;
  readonly before: readonly Setting[];
}

const families = { ipv4: 4, ipv6: 6 } as const satisfies Record<Family, 4 | 6>;
const factOf = (family: Family) => `forwarding-${family}`;

export class Forwarding {
  readonly #parts: ForwardingParts;
  readonly #isAllowed: boolean;
  #boot = '';

  /** @param isAllowed whether the daemon may turn the host into a router */
  constructor(parts: ForwardingParts, isAllowed: boolean) {
    this.#parts = parts;
    this.#isAllowed = isAllowed;
  }

  /**
   * To be awaited before anything else is asked. Where it is not allowed, the administrator sees to it that the host is
   * a router: what an earlier daemon has changed is nothing to put back, and no reason to keep others out.
   */
  async open(): Promise<void> {
    const { store, kernel } = this.#parts;
    this.#boot = await kernel.changes.run('bootId');
    if (this.#isAllowed) return;
    for (const family of this.turnedOn()) store.meta.delete(factOf(family));
  }

  /** Families in which the host is a router only because of us. */
  turnedOn(): Family[] {
    return (Object.keys(families) as Family[]).filter((family) => this.#changeOf(family) !== undefined);
  }

  #changeOf(family: Family): Change | undefined {
    const fact = this.#parts.store.meta.get(factOf(family));
    const change = fact && (JSON.parse(fact.value) as Change);
    return change?.boot === this.#boot ? change : undefined;
  }

  /** @returns whether it was off before, so that others' traffic is to be kept out from now on */
  async enable(family: Family): Promise<boolean> {
    if (!this.#isAllowed) return false;
    const { store, kernel } = this.#parts;
    const state = await kernel.changes.run('forwardingState', families[family]);
    if (!state || state.isOn) return false;
    const change: Change = { boot: this.#boot, before: state.settings };
    store.meta.put({ id: factOf(family), value: JSON.stringify(change) });
    await kernel.changes.run('turnForwardingOn', families[family]);
    return true;
  }

  /**
   * Makes the host what it was before, unless another program translates addresses by now: its traffic would end too.
   * @returns whether anything was put back
   */
  async putBack(): Promise<boolean> {
    const { store, kernel, log } = this.#parts;
    const changed = this.turnedOn();
    if (changed.length === 0) return false;
    if (translatesElsewhere(await kernel.changes.run('hostChains'))) {
      log.info(
        { families: changed },
        'forwarding stays on: another program translates addresses on this host',
      );
      return false;
    }
    for (const family of changed) {
      const { before } = this.#changeOf(family)!;
      const wasOn = await kernel.changes.run('putForwardingBack', { family: families[family], before });
      store.meta.delete(factOf(family));
      log.info({ family }, wasOn ? 'forwarding is off again' : 'somebody has turned forwarding off already');
    }
    return true;
  }
}

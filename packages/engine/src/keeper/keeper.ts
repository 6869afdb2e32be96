/**
 * What the keeper does, without its process: holds ports of the host and serves names in the sandboxes' namespaces, as it
 * was told. DNS over UDP is answered by a thread of its own, over TCP and by forwarding in this one; what is passed on from
 * ports is another thread's.
 */
import { namespaceIdentity } from '@seaway/linux/sockets';
import { HostServers } from './host-servers.ts';
import { NameBook } from './names.ts';
import { HeldPorts } from './ports.ts';
import type {
  HeldSocket,
  KeeperChange,
  KeeperState,
  PortFailure,
  ResolverSandbox,
  SandboxFailure,
  ServedSockets,
} from './protocol.ts';
import {
  inheritSandboxSockets,
  openSandboxSockets,
  removeRules,
  type SandboxSockets,
} from './sandbox-sockets.ts';
import { ServedSandbox, type Surroundings } from './served-sandbox.ts';
import type { UdpThread } from './udp-thread.ts';
import type { HandedOver } from './udp-thread-protocol.ts';

/**
 * A sandbox's namespace nearly always goes right after its resolver, and an open namespace handle or nf_tables socket
 * would keep it. So the rules are removed later, and only where the namespace is still there.
 */
const REMOVE_RULES_AFTER_MS = 500;

/** How long a keeper that has been replaced works on what it has been asked, and passes on what it has accepted. */
const RETIRE_TIMEOUT_MS = 15_000;

export type Complain = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

/** What a change could not do; all else of it is done. */
export interface Failures {
  readonly sandboxes: readonly SandboxFailure[];
  readonly ports: readonly PortFailure[];
}

/** Sockets that an earlier keeper still has. */
export interface Inheritance {
  readonly sandboxes: readonly ServedSockets[];
  readonly ports: readonly HeldSocket[];
}

/** How sockets are come by. */
interface Opening {
  /** Of an earlier keeper, by namespace. */
  readonly inherited: ReadonlyMap<string, ServedSockets>;
  readonly inheritedPorts: readonly HeldSocket[];
  /** Whether the namespaces are likely to have an earlier keeper's rules. */
  readonly mayReplace: boolean;
}

const freshOpening: Opening = { inherited: new Map(), inheritedPorts: [], mayReplace: false };

export class Keeper {
  readonly #book = new NameBook();
  readonly #networks = new Set<string>();
  readonly #sandboxes = new Map<string, ServedSandbox>();
  readonly #bySlot = new Map<number, ServedSandbox>();
  readonly #removals = new Set<NodeJS.Timeout>();
  readonly #ports: HeldPorts;
  readonly #complain: Complain;
  readonly #surroundings: Surroundings;
  readonly #thread: UdpThread;
  #nextSlot = 1;
  /** Settles when the changes so far have been made. */
  #last: Promise<unknown> = Promise.resolve();

  /** @param onCrash is called when one of the threads has died */
  constructor(thread: UdpThread, complain: Complain, onCrash: (error: unknown) => void) {
    this.#complain = complain;
    this.#ports = new HeldPorts({ complain, onCrash });
    this.#surroundings = {
      book: this.#book,
      hostServers: new HostServers(),
      complain: (message, fields) => complain('warn', message, fields),
    };
    this.#thread = thread;
    thread.listen({
      onForward: (queries) => this.#forward(queries),
      onFailed: (slot, reason) => this.#reopen(slot, reason),
      onCrash,
    });
  }

  /** How many sandboxes and holders of ports it serves. */
  get size(): number {
    return this.#sandboxes.size + this.#ports.size;
  }

  /** Whether there is work left that needs no sandbox. */
  get isTidying(): boolean {
    return this.#removals.size > 0;
  }

  /** Serves this state and nothing else. */
  fill(state: KeeperState, inherited: Inheritance): Promise<Failures> {
    const absent = (known: Iterable<string>, units: readonly { readonly id: string }[]) => {
      const present = new Set(units.map(({ id }) => id));
      return [...known].filter((id) => !present.has(id));
    };
    const change: KeeperChange = {
      ...state,
      dropNetworks: absent(this.#networks, state.networks),
      dropSandboxes: absent(this.#sandboxes.keys(), state.sandboxes),
      dropHolders: absent(this.#ports.holders, state.holders),
    };
    return this.#apply(change, {
      inherited: new Map(inherited.sandboxes.map((sockets) => [sockets.identity, sockets])),
      inheritedPorts: inherited.ports,
      mayReplace: true,
    });
  }

  /** Changes what is served. @returns the sandboxes that cannot be served, which are dropped, and the ports */
  change(change: KeeperChange): Promise<Failures> {
    return this.#apply(change, freshOpening);
  }

  /** Which sockets are served. */
  sockets(): readonly ServedSockets[] {
    return [...this.#sandboxes.values()].map(({ sockets: { identity, udp, tcp } }) => ({
      pid: process.pid,
      identity,
      udp,
      tcp,
    }));
  }

  /** Which ports are held by which sockets. */
  heldSockets(): readonly HeldSocket[] {
    return this.#ports.sockets();
  }

  /** Lets go of all ports, because somebody else holds them. */
  letGoOfPorts(): Promise<void> {
    return this.#ports.close();
  }

  /** Takes no more lookups, because somebody else does. Resolves when those under way, and connections, have ended. */
  async retire(): Promise<void> {
    for (const sandbox of this.#sandboxes.values()) sandbox.retire();
    await this.#thread.apply({}, [], [...this.#bySlot.keys()]);
    const deadline = performance.now() + RETIRE_TIMEOUT_MS;
    const isBusy = () =>
      this.#ports.connections > 0 || [...this.#sandboxes.values()].some(({ underWay }) => underWay > 0);
    while (performance.now() < deadline && isBusy()) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** One change after the other. */
  #apply(change: KeeperChange, opening: Opening): Promise<Failures> {
    const applied = this.#last.then(() => this.#applyNow(change, opening));
    this.#last = applied.catch(() => {});
    return applied;
  }

  async #applyNow(change: KeeperChange, opening: Opening): Promise<Failures> {
    const { holders, dropHolders, ...names } = change;
    const ports = await this.#ports.apply({ holders, dropHolders }, opening.inheritedPorts);
    const sandboxes = Object.keys(names).length === 0 ? [] : await this.#applyNames(names, opening);
    return { sandboxes, ports };
  }

  async #applyNames(change: KeeperChange, opening: Opening): Promise<readonly SandboxFailure[]> {
    const failures: SandboxFailure[] = [];
    const dropped = new Set(change.dropSandboxes);
    const served: ResolverSandbox[] = [];
    const opened: [ResolverSandbox, SandboxSockets][] = [];
    for (const sandbox of change.sandboxes ?? []) {
      try {
        const identity = namespaceIdentity(sandbox.namespace);
        if (this.#sandboxes.get(sandbox.id)?.sockets.identity !== identity || dropped.has(sandbox.id)) {
          opened.push([sandbox, this.#open(sandbox.namespace, identity, opening)]);
          await nextTurn();
        }
        served.push(sandbox);
      } catch (error) {
        dropped.add(sandbox.id);
        failures.push({
          sandbox: sandbox.id,
          reason: error instanceof Error ? error.message : String(error),
        });
      }
    }
    const replaced = new Set(opened.map(([{ id }]) => id));
    const stopped = [...this.#sandboxes].filter(([id]) => dropped.has(id) || replaced.has(id));
    for (const [id] of stopped) this.#sandboxes.delete(id);
    const complete: KeeperChange = { ...change, sandboxes: served, dropSandboxes: [...dropped] };
    await this.#put(
      complete,
      opened,
      stopped.map(([, sandbox]) => sandbox),
    );
    return failures;
  }

  #open(path: string, identity: string, { inherited, mayReplace }: Opening): SandboxSockets {
    const from = inherited.get(identity);
    if (from !== undefined) {
      try {
        return inheritSandboxSockets(path, from);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#complain('warn', 'sockets of the earlier keeper cannot be taken over', {
          namespace: path,
          reason,
        });
      }
    }
    return openSandboxSockets(path, mayReplace);
  }

  /** Both threads see the change; sockets that are not served any more are closed after that. */
  async #put(
    change: KeeperChange,
    opened: readonly [ResolverSandbox, SandboxSockets][],
    stopped: readonly ServedSandbox[],
  ): Promise<void> {
    for (const id of change.dropNetworks ?? []) this.#networks.delete(id);
    for (const { id } of change.networks ?? []) this.#networks.add(id);
    this.#book.apply(change);
    for (const definition of change.sandboxes ?? []) {
      const sandbox = this.#sandboxes.get(definition.id);
      if (sandbox !== undefined) sandbox.definition = definition;
    }
    const started = opened.map(([definition, sockets]) => {
      const sandbox = new ServedSandbox(definition, sockets, this.#nextSlot++, this.#surroundings);
      this.#sandboxes.set(definition.id, sandbox);
      this.#bySlot.set(sandbox.slot, sandbox);
      return sandbox;
    });
    for (const { slot } of stopped) this.#bySlot.delete(slot);
    await this.#thread.apply(
      change,
      started.map(({ udpService }) => udpService),
      stopped.map(({ slot }) => slot),
    );
    await Promise.all(stopped.map((sandbox) => this.#close(sandbox)));
  }

  async #close(sandbox: ServedSandbox): Promise<void> {
    const { identity } = sandbox.sockets;
    const { id, namespace } = sandbox.definition;
    await sandbox.close();
    const removal = setTimeout(() => {
      this.#removals.delete(removal);
      // Another sandbox, or this one anew, may be served in the same namespace by now.
      if ([...this.#sandboxes.values()].some(({ sockets }) => sockets.identity === identity)) return;
      try {
        removeRules(namespace, identity);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#complain('warn', 'the rules of a resolver cannot be removed', {
          sandbox: id,
          namespace,
          reason,
        });
      }
    }, REMOVE_RULES_AFTER_MS);
    this.#removals.add(removal);
  }

  #forward(queries: readonly HandedOver[]): void {
    for (const query of queries) void this.#bySlot.get(query.slot)?.forward(query);
  }

  /** Opens a sandbox's sockets again whose UDP socket failed. */
  #reopen(slot: number, reason: string): void {
    const sandbox = this.#bySlot.get(slot);
    if (sandbox === undefined) return;
    const { definition } = sandbox;
    this.#complain('error', 'a resolver failed and is opened again', { sandbox: definition.id, reason });
    const change = { dropSandboxes: [definition.id], sandboxes: [definition] };
    void this.#apply(change, { ...freshOpening, mayReplace: true });
  }
}

/** Opening sockets in a namespace takes part of a millisecond; in between, other work gets its turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

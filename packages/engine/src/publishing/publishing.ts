/**
 * Published ports: host ports are chosen, held by the keeper so that no other process takes them, and translated by
 * the firewall. The record of a running container says which it has; where they lead follows from its endpoints.
 */
import { internal } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import { addPorts, type FirewallPort, removePorts } from '../firewall/ports.ts';
import type { KeeperClient } from '../keeper/keeper-client.ts';
import type { PortFailure, PortHolder } from '../keeper/protocol.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { ContainerRecord } from '../model/container.ts';
import type { Attachment } from '../model/gateways.ts';
import { type PortRequest, type PublishedPort, wantedPorts } from '../model/ports.ts';
import type { Endpoints } from '../networks/endpoints.ts';
import type { Firewall } from '../networks/firewall.ts';
import type { Store } from '../store/store.ts';
import { PortAllocator } from './port-allocator.ts';
import { defaultHostAddress, firewallPorts, heldPorts, publishTarget } from './targets.ts';

export interface PublishingParts {
  readonly store: Store;
  readonly endpoints: Endpoints;
  readonly firewall: Firewall;
  readonly keeper: KeeperClient;
  readonly kernel: Kernel;
}

export interface PublishingOptions {
  /** Host address of bindings that name none, where their network says nothing either. @default every address */
  readonly defaultBindAddress?: string;
}

/** How many free-looking ports are tried when other processes turn out to have them. */
const RANDOM_ATTEMPTS = 10;

export class Publishing {
  readonly #parts: PublishingParts;
  readonly #options: PublishingOptions;
  #allocator: PortAllocator | undefined;

  constructor(parts: PublishingParts, options: PublishingOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Learns which host ports may be chosen, and which containers have theirs already. */
  async restore(): Promise<void> {
    this.#allocator = new PortAllocator(await this.#parts.kernel.changes.run('localPorts'));
    for (const { publishedPorts } of this.#parts.store.containers.all()) {
      for (const port of publishedPorts ?? []) this.#allocator.take(port);
    }
  }

  /** What the firewall translates, of all containers. */
  firewallPorts(): FirewallPort[] {
    return this.#publishers().flatMap(({ id, publishedPorts = [] }) => {
      const target = publishTarget(this.#parts.endpoints.attachments(id));
      return target ? firewallPorts(publishedPorts, target) : [];
    });
  }

  /** What the keeper holds, of all containers. */
  holders(): PortHolder[] {
    return this.#publishers().map(({ id, publishedPorts = [] }) => this.#holder(id, publishedPorts));
  }

  #publishers(): ContainerRecord[] {
    return [...this.#parts.store.containers.all()].filter(({ publishedPorts }) => publishedPorts?.length);
  }

  #holder(id: ContainerId, ports: readonly PublishedPort[]): PortHolder {
    return { id, ports: heldPorts(ports, publishTarget(this.#parts.endpoints.attachments(id)) ?? {}) };
  }

  /**
   * Publishes what the container asks for, over the endpoints that it has; nothing where they lead nowhere.
   * @throws internal naming the port that cannot be had; nothing is published then
   */
  async publish(container: ContainerRecord): Promise<void> {
    const { endpoints, store, firewall } = this.#parts;
    const { host, config, id } = container;
    const attachments = endpoints.attachments(id);
    const target = publishTarget(attachments);
    const wanted = wantedPorts(host.portBindings, config.exposedPorts, host.publishAllPorts);
    if (!target || wanted.length === 0) return;
    const publishedPorts = await this.#take(container, wanted, attachments);
    store.containers.put({ ...store.containers.get(id)!, publishedPorts });
    await this.#prepare(attachments);
    await firewall.change(addPorts(firewallPorts(publishedPorts, target)));
  }

  /** What the bridges need beside the firewall. */
  async #prepare(attachments: readonly Attachment[]): Promise<void> {
    const { changes } = this.#parts.kernel;
    const links = attachments.flatMap(({ endpoint }) => endpoint.hostInterface ?? []);
    const devices = attachments.flatMap(({ network }) => network.bridge?.device ?? []);
    await Promise.all([
      changes.run('allowHairpin', links),
      ...devices.map((device) => changes.run('admitLoopback', device)),
    ]);
  }

  /** Chooses host ports and has the keeper hold them; those that others turn out to have are chosen anew. */
  async #take(
    container: ContainerRecord,
    wanted: readonly PortRequest[],
    attachments: readonly Attachment[],
  ): Promise<readonly PublishedPort[]> {
    const choices = wanted.map(
      (request) => new Choice(request, this.#addresses(request, attachments), this.#ports),
    );
    const problem = (choice: Choice, reason: string) => failure(container, attachments, choice, reason);
    try {
      for (const choice of choices) if (!choice.next()) throw problem(choice, choice.takenText());
      for (;;) {
        const ports = choices.flatMap((choice) => choice.ports);
        const failures = await this.#parts.keeper.hold(this.#holder(container.id, ports));
        if (failures.length === 0) return ports;
        for (const failed of failures) {
          const choice = choices.find((candidate) => candidate.has(failed))!;
          if (choice.drop(failed)) continue;
          if (!choice.canMove(failed) || !choice.next()) throw problem(choice, choice.refusedText(failed));
        }
      }
    } catch (error) {
      for (const choice of choices) choice.release();
      await this.#parts.keeper.letGo(container.id);
      throw error;
    }
  }

  get #ports(): PortAllocator {
    if (!this.#allocator) throw internal('not-restored', 'ports are published before the engine is open');
    return this.#allocator;
  }

  #addresses({ hostAddress }: PortRequest, attachments: readonly Attachment[]): readonly string[] {
    const address = hostAddress || defaultHostAddress(attachments) || this.#options.defaultBindAddress || '';
    return address === '' ? ['0.0.0.0', '::'] : [address];
  }

  /** Lets the container's ports go; what leads to it is cut first. Repeatable. */
  async withdraw(container: ContainerRecord, before: readonly Attachment[]): Promise<void> {
    const { store, firewall, keeper } = this.#parts;
    const { publishedPorts: ports = [], id } = container;
    if (ports.length === 0) return;
    const target = publishTarget(before);
    store.containers.put({ ...store.containers.get(id)!, publishedPorts: undefined });
    if (target) await firewall.change(removePorts(firewallPorts(ports, target)));
    await keeper.letGo(id);
    for (const port of ports) this.#ports.release(port);
  }

  /** The container has come to a network or left one: its ports lead where its way out is now. */
  async follow(container: ContainerRecord, before: readonly Attachment[]): Promise<void> {
    const { endpoints, firewall, keeper } = this.#parts;
    const { publishedPorts: ports = [], id } = container;
    const attachments = endpoints.attachments(id);
    const [old, target] = [publishTarget(before), publishTarget(attachments)];
    if (ports.length === 0) return this.publish(container);
    if (!target) return this.withdraw(container, before);
    if (JSON.stringify(old) === JSON.stringify(target)) return;
    await this.#prepare(attachments);
    await firewall.change([
      ...(old ? removePorts(firewallPorts(ports, old)) : []),
      ...addPorts(firewallPorts(ports, target)),
    ]);
    await keeper.hold(this.#holder(id, ports));
  }
}

/** The host port of one request, as long as it is being looked for. */
class Choice {
  readonly #request: PortRequest;
  readonly #allocator: PortAllocator;
  readonly #candidates: Iterator<number>;
  #addresses: readonly string[];
  #attempts = 0;
  #hostPort = 0;
  ports: readonly PublishedPort[] = [];

  constructor(request: PortRequest, addresses: readonly string[], allocator: PortAllocator) {
    const { protocol, hostPortFirst, hostPortLast } = request;
    this.#request = request;
    this.#addresses = addresses;
    this.#allocator = allocator;
    this.#candidates = allocator
      .candidates(protocol, addresses, hostPortFirst, hostPortLast)
      [Symbol.iterator]();
  }

  /** Takes the next candidate; false when there is none. */
  next(): boolean {
    this.release();
    const { value, done } = this.#candidates.next();
    if (done) return false;
    this.#hostPort = value;
    this.#attempts++;
    const { port, protocol } = this.#request;
    this.ports = this.#addresses.map((hostAddress) => ({ port, protocol, hostAddress, hostPort: value }));
    for (const published of this.ports) this.#allocator.take(published);
    return true;
  }

  has({ port: failed }: PortFailure): boolean {
    return this.ports.some(
      ({ protocol, hostAddress, hostPort }) =>
        protocol === failed.protocol && hostAddress === failed.address && hostPort === failed.port,
    );
  }

  /** Where the host has no IPv6, "every address" means IPv4 alone. */
  drop({ port: failed, code }: PortFailure): boolean {
    const isOptional = failed.address === '::' && this.#addresses.length > 1;
    if (!isOptional || (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL')) return false;
    const gone = this.ports.find(({ hostAddress }) => hostAddress === failed.address);
    if (gone) this.#allocator.release(gone);
    this.#addresses = this.#addresses.filter((address) => address !== failed.address);
    this.ports = this.ports.filter((published) => published !== gone);
    return true;
  }

  /** Whether another number may be tried. */
  canMove({ code }: PortFailure): boolean {
    const { hostPortFirst, hostPortLast } = this.#request;
    const isRandom = hostPortFirst === 0;
    if (code !== 'EADDRINUSE') return false;
    return isRandom ? this.#attempts < RANDOM_ATTEMPTS : hostPortLast > hostPortFirst;
  }

  release(): void {
    for (const published of this.ports) this.#allocator.release(published);
    this.ports = [];
  }

  /** Why no candidate was left: Seaway itself has given them out. */
  takenText(): string {
    const { hostPortFirst: first, hostPortLast: last } = this.#request;
    if (first === 0 || last > first) return 'all ports are allocated';
    return `Bind for ${withPort(this.#addresses[0] ?? '', first)} failed: port is already allocated`;
  }

  /** Why the operating system did not give the port. */
  refusedText({ port: failed, code }: PortFailure): string {
    const reason = refusals[code] ?? code;
    return `failed to bind host port ${withPort(failed.address, this.#hostPort)}/${failed.protocol}: ${reason}`;
  }
}

const refusals: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
  EAFNOSUPPORT: 'address family not supported by protocol',
};

function withPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function failure(
  { name }: ContainerRecord,
  attachments: readonly Attachment[],
  _choice: Choice,
  reason: string,
) {
  const endpoint = attachments[0]?.endpoint.id ?? '';
  return internal(
    'port-unavailable',
    `driver failed programming external connectivity on endpoint ${name} (${endpoint}): ${reason}`,
    { endpoint },
  );
}

/**
 * Published ports: host ports are chosen, held by the keeper so that no other process takes them, and translated by
 * the firewall. The record of a running container says which it has; where they lead follows from its endpoints.
 */
import { isDeepStrictEqual } from 'node:util';
import { allOrFirstError } from '../base/all-or-first-error.ts';
import { internal, messageOf } from '../base/errors.ts';
import type { ContainerId, NetworkId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import {
  addOpenings,
  addPorts,
  type FirewallOpening,
  type FirewallPort,
  removeOpenings,
  removePorts,
} from '../firewall/ports.ts';
import type { ReportedPort } from '../firewall/report.ts';
import type { KeeperClient } from '../keeper/keeper-client.ts';
import type { PortHolder } from '../keeper/protocol.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { UdpChange } from '../kernel/operations.ts';
import type { ContainerRecord } from '../model/container.ts';
import type { Attachment } from '../model/gateways.ts';
import { type PortRequest, type PublishedPort, parseHostAddress, wantedPorts } from '../model/ports.ts';
import type { Endpoints } from '../networks/endpoints.ts';
import type { Firewall } from '../networks/firewall.ts';
import type { Store } from '../store/store.ts';
import { HostPortChoice, refusalText, takenText } from './host-port-choice.ts';
import { isInTheWay, PortAllocator } from './port-allocator.ts';
import {
  type AddressedPort,
  defaultHostAddress,
  firewallPorts,
  heldPorts,
  openings,
  publishTarget,
  refitPorts,
  relayedPorts,
  routedPorts,
  servedPorts,
  trustedOpenings,
  udpChange,
  withHostPorts,
} from './targets.ts';

export interface PublishingParts {
  readonly store: { readonly containers: Pick<Store['containers'], 'get' | 'put' | 'all'> };
  readonly endpoints: Pick<Endpoints, 'attachments'>;
  readonly firewall: Pick<Firewall, 'change'>;
  readonly keeper: Pick<KeeperClient, 'hold' | 'letGo'>;
  readonly kernel: {
    readonly changes: Pick<Kernel['changes'], 'run'>;
    readonly deletions: Pick<Kernel['deletions'], 'run'>;
  };
  readonly log: Log;
}

export interface PublishingOptions {
  /** Host address of bindings that name none, where their network says nothing either. @default every address */
  readonly defaultBindAddress?: string;
}

/** What the firewall lets through to a container. */
interface Passages {
  readonly ports: readonly FirewallPort[];
  readonly openings: readonly FirewallOpening[];
}

type WantedPort = PortRequest & AddressedPort;

export class Publishing {
  readonly #parts: PublishingParts;
  readonly #defaultAddress: string;
  #allocator: PortAllocator | undefined;

  constructor(parts: PublishingParts, options: PublishingOptions) {
    this.#parts = parts;
    this.#defaultAddress = parseHostAddress(options.defaultBindAddress ?? '');
  }

  /** Learns which host ports may be chosen, and which containers have theirs already. Bridges must be there. */
  async restore(): Promise<void> {
    this.#allocator = new PortAllocator(await this.#parts.kernel.changes.run('localPorts'));
    for (const { publishedPorts } of this.#parts.store.containers.all()) {
      for (const port of publishedPorts ?? []) this.#allocator.take(port);
    }
    await this.#prepare(this.#attachmentsOfPublishers());
  }

  /** The bridge of a network was gone and has been made anew: it gets back what containers with ports need of it. */
  async prepareBridge(network: NetworkId): Promise<void> {
    await this.#prepare(this.#attachmentsOfPublishers().filter((one) => one.network.id === network));
  }

  #attachmentsOfPublishers(): Attachment[] {
    return this.#publishers().flatMap(({ id }) => this.#parts.endpoints.attachments(id));
  }

  /** What the firewall translates, of all containers. */
  firewallPorts(): FirewallPort[] {
    return this.#allPassages().flatMap(({ ports }) => ports);
  }

  /** What the firewall opens without translating it, of all containers. */
  openings(): FirewallOpening[] {
    return this.#allPassages().flatMap(({ openings }) => openings);
  }

  #allPassages(): Passages[] {
    const { store, endpoints } = this.#parts;
    return [...store.containers.all()].map(({ id }) => this.#passages(id, endpoints.attachments(id)));
  }

  /** What a running container has: ports of the host, and those that routed networks open, with 0 for the host's. */
  portsOf(id: ContainerId): readonly PublishedPort[] {
    const container = this.#parts.store.containers.get(id);
    if (!container) return [];
    const attachments = this.#parts.endpoints.attachments(id);
    const published = container.publishedPorts ?? [];
    return [...published, ...routedPorts(this.#wanted(container, attachments), attachments)];
  }

  /** What leads to containers, for people to look at. */
  report(): ReportedPort[] {
    const { store, endpoints } = this.#parts;
    return [...store.containers.all()].flatMap((record) => {
      const { id, name, publishedPorts = [] } = record;
      const attachments = endpoints.attachments(id);
      const container = { containerId: id, containerName: name };
      const opened = openings(this.#wanted(record, attachments), attachments);
      return [
        ...servedPorts(publishedPorts, publishTarget(attachments) ?? {}),
        ...opened.map(({ protocol, address, port }) => ({
          protocol,
          containerAddress: address,
          containerPort: port,
        })),
      ].map((port) => ({ ...container, ...port }));
    });
  }

  /** What leads to a container over these networks. */
  #passages(id: ContainerId, attachments: readonly Attachment[]): Passages {
    const container = this.#parts.store.containers.get(id);
    if (!container || attachments.length === 0) return { ports: [], openings: [] };
    const target = publishTarget(attachments);
    const { publishedPorts: published = [] } = container;
    return {
      ports: target ? [...firewallPorts(published, target), ...relayedPorts(published, target)] : [],
      openings: [
        ...openings(this.#wanted(container, attachments), attachments),
        ...trustedOpenings(published, attachments),
      ],
    };
  }

  #wanted({ host, config }: ContainerRecord, attachments: readonly Attachment[]): WantedPort[] {
    const wanted = wantedPorts(host.portBindings, config.exposedPorts, host.publishAllPorts);
    return wanted.map((request) => ({ ...request, addresses: this.#addresses(request, attachments) }));
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
   * @throws internal `port-unavailable` naming the port that cannot be had, `ports-not-held`; nothing is published then
   */
  async publish(id: ContainerId): Promise<void> {
    await this.#publish(id, []);
  }

  /** @param before the networks over which something leads to the container so far */
  async #publish(id: ContainerId, before: readonly Attachment[]): Promise<void> {
    const { endpoints, store } = this.#parts;
    const container = store.containers.get(id)!;
    const attachments = endpoints.attachments(id);
    const wanted = withHostPorts(this.#wanted(container, attachments), attachments);
    const old = this.#passages(id, before);
    if (publishTarget(attachments) && wanted.length > 0) {
      await allOrFirstError([this.#prepare(attachments), this.#take(container, wanted, attachments)]);
    }
    await this.#replace(old, this.#passages(id, attachments));
  }

  /** In one step for the firewall, so that what stays is never closed. */
  async #replace(old: Passages, now: Passages): Promise<void> {
    if (isDeepStrictEqual(old, now)) return;
    await this.#parts.firewall.change([
      ...removePorts(old.ports),
      ...removeOpenings(old.openings),
      ...addPorts(now.ports),
      ...addOpenings(now.openings),
    ]);
    this.#forgetUdpFlows(udpChange(old.ports, now.ports));
  }

  /** Behind the answer: a flow that goes on to where it went for a moment longer does no harm. */
  #forgetUdpFlows(change: UdpChange): void {
    const { kernel, log } = this.#parts;
    if (change.left.length === 0 && change.taken.length === 0) return;
    kernel.deletions.run('forgetUdpFlows', change).catch((error) => {
      log.error({ error: messageOf(error) }, 'UDP flows of published ports may go on to where they went');
    });
  }

  /** What the bridges need beside the firewall. */
  async #prepare(attachments: readonly Attachment[]): Promise<void> {
    const { changes } = this.#parts.kernel;
    const links = attachments.flatMap(({ endpoint }) => endpoint.hostInterface ?? []);
    const devices = new Set(attachments.flatMap(({ network }) => network.bridge?.device ?? []));
    await allOrFirstError([
      changes.run('allowHairpin', links),
      ...[...devices].map((device) => changes.run('admitLoopback', device)),
    ]);
  }

  /**
   * Chooses host ports, has the keeper hold them and commits them; those that others turn out to have are chosen anew.
   * @param kept what the container has already and goes on having
   */
  async #take(
    container: ContainerRecord,
    wanted: readonly WantedPort[],
    attachments: readonly Attachment[],
    kept: readonly PublishedPort[] = [],
  ): Promise<void> {
    const { store, keeper } = this.#parts;
    const { id } = container;
    const choices = wanted.map((request) => new HostPortChoice(request, request.addresses, this.#ports));
    try {
      for (const choice of choices) {
        if (!choice.next()) throw unavailable(container, attachments, this.#takenText(choice));
      }
      for (;;) {
        const publishedPorts = [...kept, ...choices.flatMap((choice) => choice.ports)];
        const failures = await keeper.hold(this.#holder(id, publishedPorts));
        if (failures.length === 0) {
          store.containers.put({ ...store.containers.get(id)!, publishedPorts });
          return;
        }
        for (const failure of failures) {
          // None has it any more where another address of the same binding failed too.
          const choice = choices.find((candidate) => candidate.has(failure));
          if (choice && !choice.retry(failure)) {
            throw unavailable(container, attachments, refusalText(failure));
          }
        }
      }
    } catch (error) {
      for (const choice of choices) choice.release();
      if (kept.length > 0) await keeper.hold(this.#holder(id, this.#portsOf(id)));
      else await keeper.letGo(id);
      throw error;
    }
  }

  get #ports(): PortAllocator {
    if (!this.#allocator) throw internal('not-restored', 'ports are published before the engine is open');
    return this.#allocator;
  }

  #addresses({ hostAddress }: PortRequest, attachments: readonly Attachment[]): readonly string[] {
    if (hostAddress !== '') return [hostAddress];
    const address = defaultHostAddress(attachments) ?? this.#defaultAddress;
    // As a default, Docker's 0.0.0.0 stands for both families.
    return address === '' || address === '0.0.0.0' ? ['0.0.0.0', '::'] : [address];
  }

  /** Why no candidate was left: Seaway itself has given them out. */
  #takenText(choice: HostPortChoice): string {
    const taken = choice.takenPort();
    if (!taken) return 'all ports are allocated';
    const owner = this.#publishers().find(({ publishedPorts }) =>
      publishedPorts?.some((port) => isInTheWay(port, taken)),
    );
    return takenText(taken, owner?.name);
  }

  /** Lets the container's ports go; what leads to it is cut first. Repeatable. */
  async withdraw(id: ContainerId, before: readonly Attachment[]): Promise<void> {
    await this.#withdraw(id, before, []);
  }

  /** @param attachments the networks that it is left with, none of which the host's ports lead to */
  async #withdraw(
    id: ContainerId,
    before: readonly Attachment[],
    attachments: readonly Attachment[],
  ): Promise<void> {
    const { store, keeper } = this.#parts;
    const old = this.#passages(id, before);
    const ports = this.#portsOf(id);
    if (ports.length === 0) return this.#replace(old, this.#passages(id, attachments));
    store.containers.put({ ...store.containers.get(id)!, publishedPorts: undefined });
    try {
      await this.#replace(old, this.#passages(id, attachments));
    } finally {
      await keeper.letGo(id);
      for (const port of ports) this.#ports.release(port);
    }
  }

  /** The container has come to a network or left one: its ports lead where its way out is now. */
  async follow(id: ContainerId, before: readonly Attachment[]): Promise<void> {
    const { endpoints, keeper } = this.#parts;
    const ports = this.#portsOf(id);
    const attachments = endpoints.attachments(id);
    const target = publishTarget(attachments);
    if (ports.length === 0) return this.#publish(id, before);
    if (!target) return this.#withdraw(id, before, attachments);
    if (isDeepStrictEqual(publishTarget(before), target)) {
      return this.#replace(this.#passages(id, before), this.#passages(id, attachments));
    }
    await this.#prepare(attachments);
    const old = this.#passages(id, before);
    const dropped = await this.#refit(id, ports, before, attachments);
    await this.#replace(old, this.#passages(id, attachments));
    await keeper.hold(this.#holder(id, this.#portsOf(id)));
    for (const port of dropped) this.#ports.release(port);
  }

  /**
   * Gives the container the ports that its new way out asks for. One that somebody else has by now it does without, and
   * goes on running.
   * @returns what it had and has not any more; the keeper still holds that
   */
  async #refit(
    id: ContainerId,
    ports: readonly PublishedPort[],
    before: readonly Attachment[],
    attachments: readonly Attachment[],
  ): Promise<readonly PublishedPort[]> {
    const { store, log } = this.#parts;
    const container = store.containers.get(id)!;
    const wanted = withHostPorts(this.#wanted(container, attachments), attachments);
    const { kept, missing } = refitPorts(ports, wanted, before, attachments);
    const dropped = ports.filter((port) => !kept.includes(port));
    if (dropped.length > 0) store.containers.put({ ...container, publishedPorts: kept });
    if (missing.length > 0) {
      await this.#take(container, missing, attachments, kept).catch((error) => {
        log.error({ container: id, error: messageOf(error) }, 'ports could not be published again');
      });
    }
    return dropped;
  }

  #portsOf(id: ContainerId): readonly PublishedPort[] {
    return this.#parts.store.containers.get(id)?.publishedPorts ?? [];
  }
}

function unavailable({ name }: ContainerRecord, attachments: readonly Attachment[], reason: string) {
  const endpoint = attachments[0]?.endpoint.id ?? '';
  return internal(
    'port-unavailable',
    `driver failed programming external connectivity on endpoint ${name} (${endpoint}): ${reason}`,
    { endpoint },
  );
}

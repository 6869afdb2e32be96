/**
 * Tells the keeper who is called what: the networks' names, and for each sandbox which of them it may see and who
 * answers its other questions. What the keeper should know follows from the store at any time.
 */
import { hostname as hostHostname } from 'node:os';
import { messageOf } from '../base/errors.ts';
import type { ContainerId, NetworkId, SandboxId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { KeeperClient } from '../keeper/keeper-client.ts';
import type { KeeperState, NetworkNames, ResolverSandbox } from '../keeper/protocol.ts';
import { type EndpointSettings, noEndpointSettings } from '../model/container.ts';
import { type Attachment, byPreference } from '../model/gateways.ts';
import { dnsNames, linkAliases } from '../model/names.ts';
import { isUserDefined, type NetworkRecord, type SandboxRecord } from '../model/network.ts';
import type { ResolverOverrides } from '../model/network-files.ts';
import type { Store } from '../store/store.ts';
import type { Endpoints } from './endpoints.ts';
import type { Sandboxes } from './sandboxes.ts';

export interface NamesParts {
  readonly store: Store;
  readonly endpoints: Endpoints;
  readonly sandboxes: Sandboxes;
  readonly log: Log;
}

export interface NamesOptions {
  /** The keeper's run folder. */
  readonly folder: string;
  /** Servers and options of containers that bring none. */
  readonly resolver: ResolverOverrides;
}

/** What has changed; each unit is told anew as it is now. */
export interface NamesChange {
  readonly networks: readonly NetworkId[];
  readonly sandboxes: readonly SandboxId[];
}

export class Names {
  readonly #parts: NamesParts;
  readonly #options: NamesOptions;
  readonly #keeper: KeeperClient;

  constructor(parts: NamesParts, options: NamesOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#keeper = new KeeperClient({
      folder: options.folder,
      state: () => this.#state(),
      // Networks of the users' are there for containers to come.
      isExpected: () => [...parts.store.networks.all()].some(isUserDefined),
      log: parts.log,
    });
  }

  /** Finds the keeper that an earlier daemon left, or starts one where containers need it. */
  async restore(): Promise<void> {
    await this.#keeper.restore();
  }

  /** A network of the users' was made: its first container shall not wait for the keeper. */
  async prepare(): Promise<void> {
    await this.#keeper.prepare();
  }

  /** The daemon goes, and the keeper stays for the containers that run on. */
  async close(): Promise<void> {
    await this.#keeper.close();
  }

  /** What others may learn of a container: its user-defined networks and its sandbox, as they are now. */
  changeOf(id: ContainerId): NamesChange {
    const sandbox = this.#parts.sandboxes.ownedBy(id);
    const named = this.#parts.endpoints.attachments(id).filter(({ network }) => isUserDefined(network));
    return {
      networks: named.map(({ network }) => network.id),
      sandboxes: sandbox?.hasResolver ? [sandbox.id] : [],
    };
  }

  /**
   * Tells of a change that the store holds already; resolves when the new names answer.
   * @throws internal when a sandbox cannot have a resolver
   */
  async publish(change: NamesChange): Promise<void> {
    const { store, sandboxes } = this.#parts;
    const networks = change.networks.map((id) => [id, this.#networkNames(store.networks.get(id))] as const);
    const resolvers = [...new Set(change.sandboxes)].map(
      (id) => [id, this.#resolver(sandboxes.get(id))] as const,
    );
    const present = <T>(units: readonly (readonly [string, T | undefined])[]) =>
      units.flatMap(([, unit]) => unit ?? []);
    const absent = (units: readonly (readonly [string, unknown])[]) =>
      units.flatMap(([id, unit]) => (unit === undefined ? id : []));
    if (networks.length === 0 && resolvers.length === 0) return;
    await this.#keeper.apply({
      networks: present(networks),
      sandboxes: present(resolvers),
      dropNetworks: absent(networks),
      dropSandboxes: absent(resolvers),
    });
  }

  /** As {@link publish}, on the way down, where there is nobody left to tell of a failure but the log. */
  async withdraw(change: NamesChange): Promise<void> {
    try {
      await this.publish(change);
    } catch (error) {
      this.#parts.log.error({ error: messageOf(error) }, 'names were not withdrawn');
    }
  }

  #state(): KeeperState {
    const { store } = this.#parts;
    return {
      networks: [...store.networks.all()].flatMap((network) => this.#networkNames(network) ?? []),
      sandboxes: [...store.sandboxes.all()].flatMap((sandbox) => this.#resolver(sandbox) ?? []),
    };
  }

  #networkNames(network: NetworkRecord | undefined): NetworkNames | undefined {
    if (!network || !isUserDefined(network)) return undefined;
    const hosts = this.#parts.endpoints.of(network.id).flatMap((endpoint) => {
      const container = this.#parts.store.containers.get(endpoint.containerId);
      if (!container) return [];
      const settings = this.#settings({ network, endpoint, priority: 0 });
      return {
        names: dnsNames(container, settings, hostHostname()),
        ...(endpoint.ipv4Address ? { ipv4: endpoint.ipv4Address } : {}),
        ...(endpoint.ipv6Address ? { ipv6: endpoint.ipv6Address } : {}),
      };
    });
    return hosts.length === 0 ? undefined : { id: network.id, name: network.name, hosts };
  }

  #settings({ network, endpoint }: Attachment): EndpointSettings {
    const container = this.#parts.store.containers.get(endpoint.containerId);
    return container?.networks[network.name] ?? noEndpointSettings;
  }

  /** Undefined where the sandbox never was on a network of the users'. */
  #resolver(sandbox: SandboxRecord | undefined): ResolverSandbox | undefined {
    const owner = sandbox?.hasResolver && this.#parts.store.containers.get(sandbox.ownerId);
    if (!owner) return undefined;
    const attachments = byPreference(this.#parts.endpoints.attachments(owner.id)).filter(
      ({ endpoint }) => endpoint.sandboxId === sandbox.id,
    );
    const named = attachments.filter(({ network }) => isUserDefined(network));
    const { dns, dnsOptions } = owner.host;
    const servers = dns.length > 0 ? dns : this.#options.resolver.dns;
    const options = dnsOptions.length > 0 ? dnsOptions : this.#options.resolver.dnsOptions;
    return {
      id: sandbox.id,
      namespace: this.#parts.sandboxes.path(sandbox.id),
      networks: named.map((attachment) => ({
        id: attachment.network.id,
        links: linkAliases(this.#settings(attachment).links),
      })),
      ...(servers.length > 0 ? { servers } : {}),
      forwardsFromHost: attachments.some(({ network }) => !network.internal),
      hasExplicitNdots: options.some((option) => option.startsWith('ndots:')),
    };
  }
}

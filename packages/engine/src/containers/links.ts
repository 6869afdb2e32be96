/**
 * Links between containers of the default bridge, from the first request to the last: which there are, what a
 * linking container learns of the others when it starts, and its hosts file when one of them comes back under
 * another address. What links open on a network whose containers do not talk to each other is in `firewall`.
 */
import { join } from 'node:path';
import { conflict, EngineError, invalid, messageOf } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { type ContainerLink, type ContainerRecord, isRunning } from '../model/container.ts';
import { type LinkedContainer, linkEntries, linkEnvironment, parseLink } from '../model/links.ts';
import { defaultBridge } from '../model/network.ts';
import type { HostsEntry } from '../model/network-files.ts';
import type { Networks } from '../networks/networks.ts';
import type { ContainerRegistry } from './registry.ts';
import { changeLinkLines, effectiveHostname, ownAddresses } from './sandbox-files.ts';

export interface LinksParts {
  readonly registry: ContainerRegistry;
  readonly networks: Networks;
  readonly log: Log;
}

export class Links {
  readonly #parts: LinksParts;
  readonly #folder: string;

  /** @param folder parent of the containers' folders */
  constructor(parts: LinksParts, folder: string) {
    this.#parts = parts;
    this.#folder = folder;
  }

  /**
   * Finds the containers that a new one wants to be linked to. Whether they run is asked at start.
   * @param texts as `parseLink` takes them; of several with one alias the first counts, as at Docker
   * @throws invalid for a container that there is not, and for one that lives in the host's network
   */
  resolve(texts: readonly string[]): ContainerLink[] {
    const links = new Map<string, ContainerLink>();
    for (const { target, alias } of texts.map(parseLink)) {
      if (!links.has(alias)) links.set(alias, { target: this.#networkOwner(target).id, alias });
    }
    return [...links.values()];
  }

  /** The container itself, or the one whose network it shares. */
  #networkOwner(reference: string): ContainerRecord {
    const target = this.#find(reference);
    const { networkMode } = target.host;
    if (networkMode.kind === 'container') return this.#networkOwner(networkMode.container);
    if (networkMode.kind === 'host') {
      throw invalid(
        'conflicting-options',
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
        { target: target.id },
      );
    }
    return target;
  }

  #find(reference: string): ContainerRecord {
    try {
      return this.#parts.registry.resolve(reference);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      const message = `could not get container for ${reference}: ${error.message}`;
      throw invalid('link-target-missing', message, { target: reference }, error);
    }
  }

  /**
   * Whether a container can start, as far as its links go.
   * @throws invalid when it is linked to one that is not on the default bridge, conflict when that does not run
   */
  check(container: ContainerRecord): void {
    for (const { target, alias } of this.#targets(container)) {
      if (!isOnDefaultBridge(target)) {
        throw invalid(
          'link-target-elsewhere',
          `Cannot link to /${target.name}, as it does not belong to the default network`,
          { target: target.id },
        );
      }
      if (!isRunning(target)) {
        throw conflict(
          'link-target-not-running',
          `Cannot link to a non running container: /${target.name} AS /${container.name}/${alias}`,
          { target: target.id },
        );
      }
    }
  }

  /** The links of a container that is on the default bridge: elsewhere they mean nothing. */
  #targets(container: ContainerRecord): { readonly target: ContainerRecord; readonly alias: string }[] {
    if (!isOnDefaultBridge(container)) return [];
    return (container.links ?? []).flatMap(({ target: id, alias }) => {
      const target = this.#parts.registry.find(id);
      return target ? { target, alias } : [];
    });
  }

  /** The containers that one is linked to and that are up. */
  #linked(container: ContainerRecord): LinkedContainer[] {
    return this.#targets(container)
      .map(({ target, alias }) => this.#seenFrom(container, target, alias))
      .filter(({ addresses }) => addresses.length > 0);
  }

  /** The variables by which a container's processes learn of those that it is linked to. */
  environment(container: ContainerRecord): string[] {
    return this.#linked(container).flatMap(linkEnvironment);
  }

  #seenFrom(parent: ContainerRecord, target: ContainerRecord, alias: string): LinkedContainer {
    const { networks } = this.#parts;
    const attachments = networks.endpoints.attachments(target.id);
    const onBridge = attachments.filter(({ network }) => network.name === defaultBridge);
    return {
      alias,
      parentName: parent.name,
      name: target.name,
      hostname: effectiveHostname(target),
      addresses: ownAddresses(onBridge.map(({ endpoint }) => endpoint)),
      env: target.config.env,
      exposedPorts: target.config.exposedPorts,
    };
  }

  /** The lines of a container's hosts file for those that it is linked to and that are up. */
  hostsEntries(container: ContainerRecord): HostsEntry[] {
    return this.#linked(container).flatMap(linkEntries);
  }

  /** Tells those that are linked to a container where it is now. */
  async follow(target: ContainerId): Promise<void> {
    for (const { parent, alias } of this.#parentsOf(target)) await this.#rewriteLines(parent.id, alias);
  }

  /** Tells all containers where those are that they are linked to: a crash may have come before {@link follow}. */
  async restore(): Promise<void> {
    for (const { id, links = [] } of this.#parts.registry.list()) {
      for (const { alias } of links) await this.#rewriteLines(id, alias);
    }
  }

  #parentsOf(target: ContainerId): { readonly parent: ContainerRecord; readonly alias: string }[] {
    return this.#parts.registry.list().flatMap((parent) => {
      const links = (parent.links ?? []).filter((link) => link.target === target);
      return links.map(({ alias }) => ({ parent, alias }));
    });
  }

  /**
   * Brings the lines of one link in step, where the file is in use: those of a container that stands still are made
   * anew at its start. The container runs on without the news where that fails.
   */
  async #rewriteLines(id: ContainerId, alias: string): Promise<void> {
    const { registry, networks, log } = this.#parts;
    try {
      await changeLinkLines(join(this.#folder, id), alias, () => {
        const parent = registry.find(id);
        if (parent?.sandboxId === undefined) return undefined;
        const target = this.#targets(parent).find((link) => link.alias === alias)?.target;
        const entries = target ? linkEntries(this.#seenFrom(parent, target, alias)) : [];
        // One that stands still keeps its lines: mostly it comes back to the address that it had.
        if (target && entries.length === 0) return undefined;
        const own = ownAddresses(networks.endpointsOfContainer(id));
        return { container: parent, addresses: own, entries };
      });
    } catch (error) {
      log.error({ container: id, alias, error: messageOf(error) }, 'a link was not brought up to date');
    }
  }

  /** Drops all links to a container that is no more. */
  async dropTarget(target: ContainerId): Promise<void> {
    for (const { parent, alias } of this.#parentsOf(target)) await this.#drop(parent.id, alias);
  }

  /**
   * Drops one link, named PARENT/ALIAS.
   * @throws notFound for a name that there is not, conflict for a container's own name
   */
  async unlink(reference: string): Promise<void> {
    const { registry } = this.#parts;
    const name = reference.replace(/^\//, '');
    registry.resolve(name);
    const [parentName = '', alias] = name.split('/');
    if (alias === undefined) {
      throw conflict('default-link-name', 'Conflict, cannot remove the default link name of the container', {
        name,
      });
    }
    await this.#drop(registry.resolve(parentName).id, alias);
  }

  async #drop(parent: ContainerId, alias: string): Promise<void> {
    const { registry, networks } = this.#parts;
    const links = (registry.find(parent)?.links ?? []).filter((link) => link.alias !== alias);
    registry.update(parent, { links });
    await networks.endpoints.linksChanged();
    await this.#rewriteLines(parent, alias);
  }
}

function isOnDefaultBridge({ networks }: ContainerRecord): boolean {
  return Object.hasOwn(networks, defaultBridge);
}

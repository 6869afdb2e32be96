/**
 * Requests about networks and containers past any client, for stories that hold statuses and texts to the letter.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiResponse } from './http.ts';
import { expectSameInventory, takeInventory } from './inventory.ts';
import { engineUnderTest, type Lab } from './lab.ts';
import { image } from './story.ts';

/** Spoken where a story names no other: the newest of the engine under test. */
export const newestVersion = engineUnderTest === 'dockerd' ? '1.41' : '1.50';

/** What the API shows of a network. */
export interface ShownNetwork {
  readonly Name: string;
  readonly Id: string;
  readonly Driver: string;
  readonly Internal: boolean;
  readonly EnableIPv4: boolean;
  readonly EnableIPv6: boolean;
  readonly IPAM: {
    readonly Driver: string;
    readonly Options: Readonly<Record<string, string>> | null;
    readonly Config: readonly ShownSubnet[] | null;
  };
  readonly Options: Readonly<Record<string, string>>;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Containers?: Readonly<Record<string, ShownMember>>;
}

export interface ShownSubnet {
  readonly Subnet: string;
  readonly Gateway?: string;
  readonly IPRange?: string;
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>>;
}

export interface ShownMember {
  readonly Name: string;
  readonly EndpointID: string;
  readonly MacAddress: string;
  readonly IPv4Address: string;
  readonly IPv6Address: string;
}

/** What the API shows of a container's seat on a network. */
export interface ShownEndpoint {
  readonly NetworkID: string;
  readonly EndpointID: string;
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly Gateway: string;
  readonly GlobalIPv6Address: string;
  readonly GlobalIPv6PrefixLen: number;
  readonly IPv6Gateway: string;
  readonly MacAddress: string;
  readonly IPAMConfig: Readonly<Record<string, string>> | null;
  readonly Aliases: readonly string[] | null;
  readonly DNSNames?: readonly string[] | null;
  readonly GwPriority?: number;
  readonly DriverOpts: Readonly<Record<string, string>> | null;
}

export interface ShownContainer {
  readonly Id: string;
  readonly State: {
    readonly Status: string;
    readonly Pid: number;
    readonly ExitCode: number;
    readonly Error: string;
  };
  readonly Config: { readonly Hostname: string };
  readonly HostConfig: { readonly NetworkMode: string };
  readonly HostsPath: string;
  readonly HostnamePath: string;
  readonly ResolvConfPath: string;
  readonly NetworkSettings: {
    readonly SandboxID: string;
    readonly SandboxKey: string;
    readonly Ports: object;
    readonly Networks: Readonly<Record<string, ShownEndpoint>>;
    readonly IPAddress?: string;
  };
}

/** A request that is to be refused. */
export interface Refusal {
  /** The case in the words of a test's name. */
  readonly what: string;
  /** @default 'POST' */
  readonly method?: string;
  readonly path: string;
  readonly version?: string;
  readonly body?: object | string;
  readonly headers?: Record<string, string>;
  readonly status: number;
  /** The whole text; or a pattern, where it says more than Docker's. */
  readonly message: string | RegExp;
}

type Body = object | string;

/** Speaks one version of the API to a lab's engine. */
export class RawApi {
  readonly #lab: Lab;
  readonly #version: string;

  constructor(lab: Lab, version = newestVersion) {
    this.#lab = lab;
    this.#version = version;
  }

  /** The same in another version. */
  at(version: string): RawApi {
    return new RawApi(this.#lab, version);
  }

  send<T = { readonly message?: string }>(
    method: string,
    path: string,
    body?: Body,
    headers?: Record<string, string>,
  ): Promise<ApiResponse<T>> {
    return this.#lab.api<T>(method, `/v${this.#version}${path}`, body, {
      timeoutMs: 20_000,
      ...(headers ? { headers } : {}),
    });
  }

  /** Sends a request that succeeds. @returns the parsed body */
  async ask<T>(method: string, path: string, body?: Body): Promise<T> {
    const answer = await this.send<T>(method, path, body);
    assert.ok(
      answer.status < 300,
      `${method} ${path} ${JSON.stringify(body)}: ${answer.status} ${answer.text}`,
    );
    return answer.json;
  }

  get<T>(path: string): Promise<T> {
    return this.ask('GET', path);
  }

  /** @returns the network's id */
  async createNetwork(name: string, body: object = {}): Promise<string> {
    return (await this.ask<{ Id: string }>('POST', '/networks/create', { Name: name, ...body })).Id;
  }

  network(reference: string): Promise<ShownNetwork> {
    return this.get(`/networks/${encodeURIComponent(reference)}`);
  }

  async removeNetworks(...references: string[]): Promise<void> {
    for (const reference of references)
      await this.ask('DELETE', `/networks/${encodeURIComponent(reference)}`);
  }

  connect(network: string, container: string, config?: object): Promise<void> {
    const settings = config ? { EndpointConfig: config } : {};
    return this.ask('POST', `/networks/${encodeURIComponent(network)}/connect`, {
      Container: container,
      ...settings,
    });
  }

  disconnect(network: string, container: string, force = false): Promise<void> {
    return this.ask('POST', `/networks/${encodeURIComponent(network)}/disconnect`, {
      Container: container,
      Force: force,
    });
  }

  /** @param network its mode @returns the container's id */
  async createContainer(
    name: string,
    network: string,
    body: object = {},
    endpoints: object = {},
  ): Promise<string> {
    const { HostConfig: host, ...rest } = body as { HostConfig?: object };
    const created = await this.ask<{ Id: string }>('POST', `/containers/create?name=${name}`, {
      Image: image,
      Cmd: ['sleep', '600'],
      ...rest,
      HostConfig: { NetworkMode: network, ...host },
      NetworkingConfig: { EndpointsConfig: endpoints },
    });
    return created.Id;
  }

  async run(name: string, network: string, body: object = {}, endpoints: object = {}): Promise<string> {
    const id = await this.createContainer(name, network, body, endpoints);
    await this.start(id);
    return id;
  }

  start(container: string): Promise<void> {
    return this.ask('POST', `/containers/${container}/start`);
  }

  /** Ends it at once. */
  stop(container: string): Promise<void> {
    return this.ask('POST', `/containers/${container}/kill`);
  }

  inspect(container: string): Promise<ShownContainer> {
    return this.get(`/containers/${container}/json`);
  }

  async endpoint(container: string, network: string): Promise<ShownEndpoint> {
    const { NetworkSettings } = await this.inspect(container);
    const endpoint = NetworkSettings.Networks[network];
    assert.ok(endpoint, `${container} is on ${Object.keys(NetworkSettings.Networks)} and not on ${network}`);
    return endpoint;
  }

  async removeContainers(...containers: string[]): Promise<void> {
    await Promise.all(containers.map((container) => this.ask('DELETE', `/containers/${container}?force=1`)));
  }

  /** Removes all containers, and all networks that users made. */
  async clear(): Promise<void> {
    const all = await this.get<{ Id: string }[]>('/containers/json?all=1');
    await this.removeContainers(...all.map(({ Id }) => Id));
    await this.ask('POST', '/networks/prune');
  }

  async isRefused({
    method = 'POST',
    path,
    version,
    body,
    headers,
    status,
    message,
  }: Refusal): Promise<void> {
    const speaker = version ? this.at(version) : this;
    const answer = await speaker.send(method, path, body, headers);
    const said = answer.json?.message ?? answer.text;
    if (typeof message === 'string') assert.equal(said, message);
    else assert.match(said, message);
    assert.equal(answer.status, status, said);
    assert.ok(answer.text.endsWith('}\n'), 'an error is JSON and ends with a newline');
  }
}

/**
 * One test for each refusal, and one that nothing was changed by any of them.
 * @param section what the cases have in common, such as a place in the contract
 */
export function testRefusals(lab: Lab, section: string, refusals: readonly Refusal[]): void {
  const api = new RawApi(lab);
  let before: Awaited<ReturnType<typeof takeInventory>>;
  test(`${section}: what there is before`, async () => {
    before = await takeInventory(lab, lab.engine);
    assert.ok(before.networks?.length);
  });
  for (const refusal of refusals) {
    test(`${section}: ${refusal.what}: ${refusal.status}`, () => api.isRefused(refusal));
  }
  test(`${section}: what was refused left nothing behind`, () =>
    expectSameInventory(lab, before, lab.engine));
}

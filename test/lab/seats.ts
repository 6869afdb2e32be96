/**
 * Who sits on which network: as the engine shows networks, as it shows containers, and as the kernel has it.
 */
import assert from 'node:assert/strict';
import { afterEach } from 'node:test';
import { type Inventory, inventoryDifference, takeInventory } from './inventory.ts';
import type { Lab } from './lab.ts';
import { RawApi, type ShownNetwork } from './raw-api.ts';
import { eventually } from './story.ts';

interface Link {
  readonly ifname: string;
  readonly master?: string;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly addr_info: readonly { readonly local: string; readonly scope: string }[];
}

const linksIn = async (lab: Lab, enter: string) =>
  JSON.parse((await lab.run(`${enter} ip -json -details address`)).stdout) as Link[];

const globalAddresses = (links: readonly Link[]) =>
  links
    .flatMap(({ addr_info: all }) => all.filter(({ scope }) => scope === 'global').map(({ local }) => local))
    .sort();

/** Every seat as the networks, the containers and the kernel see it; all three are to be the same. */
export async function seats(lab: Lab) {
  const api = new RawApi(lab);
  const networks = await Promise.all(
    (await api.get<ShownNetwork[]>('/networks')).map(({ Id }) => api.network(Id)),
  );
  const containers = await Promise.all(
    (await api.get<{ Id: string }[]>('/containers/json')).map(({ Id }) => api.inspect(Id)),
  );
  const byNetwork = networks.flatMap(({ Name, Containers = {} }) =>
    Object.entries(Containers).map(([id, { IPv4Address, EndpointID }]) =>
      [id.slice(0, 12), Name, IPv4Address.split('/')[0], EndpointID.slice(0, 12)].join(' '),
    ),
  );
  const byContainer = containers.flatMap(({ Id, NetworkSettings }) =>
    Object.entries(NetworkSettings.Networks).map(([name, { IPAddress, EndpointID }]) =>
      [Id.slice(0, 12), name, IPAddress, EndpointID.slice(0, 12)].join(' '),
    ),
  );
  const inside = await Promise.all(
    containers
      .filter(({ NetworkSettings }) => NetworkSettings.SandboxKey)
      .map(async ({ Id, NetworkSettings }) => ({
        id: Id.slice(0, 12),
        shown: Object.values(NetworkSettings.Networks)
          .flatMap(({ IPAddress, GlobalIPv6Address }) => [IPAddress, GlobalIPv6Address].filter(Boolean))
          .sort(),
        real: globalAddresses(await linksIn(lab, `nsenter --net=${NetworkSettings.SandboxKey}`)),
      })),
  );
  const host = await linksIn(lab, '');
  return {
    byNetwork: byNetwork.sort(),
    byContainer: byContainer.sort(),
    shown: inside.map(({ id, shown }) => `${id} ${shown}`),
    real: inside.map(({ id, real }) => `${id} ${real}`),
    bridges: host
      .filter(({ linkinfo }) => linkinfo?.info_kind === 'bridge')
      .map(({ ifname }) => ifname)
      .sort(),
    expectedBridges: networks
      .filter(({ Driver }) => Driver === 'bridge')
      .map(({ Id, Name }) => (Name === 'bridge' ? 'docker0' : `br-${Id.slice(0, 12)}`))
      .sort(),
    ports: host.filter(({ ifname, master }) => ifname.startsWith('veth') && master).length,
  };
}

/** Links are deleted behind the answers, so a difference counts only when it stays. */
export async function expectConsistent(lab: Lab): Promise<void> {
  await eventually(async () => {
    const all = await seats(lab);
    assert.deepEqual(all.byNetwork, all.byContainer);
    assert.deepEqual(all.real, all.shown);
    assert.deepEqual(all.bridges, all.expectedBridges);
    assert.equal(all.ports, all.byContainer.length);
  });
}

/** What there is without the keeper, which is there while there are networks and a little longer. */
async function inventory(lab: Lab): Promise<Inventory> {
  const all = Object.entries(await takeInventory(lab, lab.engine));
  return Object.fromEntries(
    all.map(([section, lines]) => [section, lines.filter((line) => !/keeper/.test(line))]),
  );
}

/** Clears the engine after each test, and fails the test when then there is anything more or less than at first. */
export async function expectClearedAfterEach(lab: Lab): Promise<void> {
  const api = new RawApi(lab);
  // What an engine makes only once exists from here on.
  await api.createNetwork('first', { EnableIPv6: true });
  await api.run('first', 'first');
  await api.clear();
  await eventually(async () => assert.doesNotMatch((await lab.run('ip -brief link')).stdout, /veth|br-/));
  const clean = await inventory(lab);
  afterEach(async () => {
    await api.clear();
    await eventually(async () => assert.deepEqual(inventoryDifference(clean, await inventory(lab)), []));
  });
}

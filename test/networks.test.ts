/**
 * The predefined networks, listed and inspected.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineUnderTest, Lab } from './lab/lab.ts';
import { image, inspect, openStory, removeContainers } from './lab/story.ts';

const lab = await openStory();
/** Debian's dockerd hides the gateway that it chose. */
const peer = engineUnderTest === 'dockerd';

interface InspectedNetwork {
  readonly Name: string;
  readonly Id: string;
  readonly Driver: string;
  readonly Scope: string;
  readonly Internal: boolean;
  readonly EnableIPv6: boolean;
  readonly IPAM: { readonly Driver: string; readonly Config: readonly Record<string, string>[] | null };
  readonly Options: Readonly<Record<string, string>>;
  readonly Containers: Readonly<
    Record<string, { readonly Name: string; readonly IPv4Address: string; readonly MacAddress: string }>
  >;
}

async function inspectNetwork(reference: string): Promise<InspectedNetwork> {
  const [first] = JSON.parse(await lab.dockerOutput(`network inspect ${reference}`)) as InspectedNetwork[];
  assert.ok(first);
  return first;
}

test('network ls shows bridge, host and none', async () => {
  const table = await lab.dockerOutput('network ls');
  assert.match(table, /^NETWORK ID\s+NAME\s+DRIVER\s+SCOPE$/m);
  const rows = await lab.dockerOutput(['network', 'ls', '--format', '{{.Name}} {{.Driver}} {{.Scope}}']);
  assert.deepEqual(rows.split('\n').sort(), ['bridge bridge local', 'host host local', 'none null local']);
  assert.equal(await lab.dockerOutput('network ls --filter driver=null --format {{.Name}}'), 'none');
  assert.equal(await lab.dockerOutput('network ls --filter name=bri --format {{.Name}}'), 'bridge');
});

test('network inspect bridge shows the pool, the options and who is attached', async () => {
  const id = await lab.dockerOutput(`run -d --name attached ${image} sleep 600`);
  const network = await inspectNetwork('bridge');
  assert.equal(network.Driver, 'bridge');
  assert.equal(network.Scope, 'local');
  assert.equal(network.Internal, false);
  assert.equal(network.IPAM.Driver, 'default');
  const pool = { Subnet: '172.17.0.0/16', ...(!peer && { Gateway: '172.17.0.1' }) };
  assert.deepEqual(network.IPAM.Config, [pool]);
  assert.equal(network.Options['com.docker.network.bridge.name'], 'docker0');
  assert.equal(network.Options['com.docker.network.bridge.default_bridge'], 'true');
  assert.equal(network.Options['com.docker.network.driver.mtu'], '1500');
  const { Networks } = (await inspect(lab, 'attached')).NetworkSettings;
  const endpoint = network.Containers[id];
  assert.equal(endpoint?.Name, 'attached');
  assert.equal(endpoint?.IPv4Address, `${Networks.bridge?.IPAddress}/16`);
  assert.equal(endpoint?.MacAddress, Networks.bridge?.MacAddress);
  assert.equal(Networks.bridge?.NetworkID, network.Id);

  await lab.docker('kill attached');
  await lab.docker('wait attached');
  assert.deepEqual((await inspectNetwork('bridge')).Containers, {}, 'only running containers are listed');
  await removeContainers(lab, 'attached');
});

test('a network is found by name, id and prefix of the id', async () => {
  const { Id } = await inspectNetwork('host');
  assert.match(Id, /^[0-9a-f]{64}$/);
  assert.equal((await inspectNetwork(Id)).Name, 'host');
  assert.equal((await inspectNetwork(Id.slice(0, 12))).Name, 'host');
  const none = await inspectNetwork('none');
  assert.equal(none.Driver, 'null');
  assert.deepEqual(none.IPAM.Config ?? [], []);
});

test('host and none keep their ids over a restart of the daemon', async () => {
  const before = [await inspectNetwork('host'), await inspectNetwork('none')];
  await lab.engine.restart();
  const after = [await inspectNetwork('host'), await inspectNetwork('none')];
  assert.deepEqual(
    after.map((network) => network.Id),
    before.map((network) => network.Id),
  );
});

test('the predefined networks cannot be removed', async () => {
  for (const name of ['bridge', 'host', 'none']) {
    const result = await lab.docker(`network rm ${name}`, { allowFailure: true });
    assert.match(result.stderr, new RegExp(`${name} is a pre-defined network and cannot be removed`));
    assert.notEqual(result.code, 0);
  }
});

test('--bip and --mtu decide address, pool and packet size of the default bridge', async () => {
  await using other = await Lab.create();
  await other.startEngine({ args: ['--bip', '10.55.0.1/24', '--mtu', '1400'] });
  await other.importBusybox();
  const shown = await other.dockerOutput(['run', '--rm', image, 'sh', '-c', 'ip addr show eth0; ip route']);
  assert.match(shown, /mtu 1400/);
  assert.match(shown, /inet 10\.55\.0\.2\/24 /);
  assert.match(shown, /default via 10\.55\.0\.1/);
  assert.match((await other.run('ip addr show docker0')).stdout, /inet 10\.55\.0\.1\/24 /);
});

test('the default bridge takes the first pool that the host does not use itself', async () => {
  await using other = await Lab.create();
  // An on-link route takes the first pool, a name server behind the gateway the second.
  await other.run('ip route add 172.17.8.0/24 dev eth0');
  await other.run(['sh', '-c', 'echo nameserver 172.18.5.5 > /etc/resolv.conf']);
  await other.startEngine();
  assert.match((await other.run('ip -br -4 address show docker0')).stdout, / 172\.19\.0\.1\/16/);
});

test('--bridge=none leaves out the default bridge', async () => {
  await using other = await Lab.create();
  await other.startEngine({ args: ['--bridge', 'none'] });
  await other.importBusybox();
  assert.equal(await other.dockerOutput(`run --rm --net=none ${image} echo works`), 'works');
  assert.doesNotMatch((await other.run('ip link')).stdout, /docker0/);
  const networks = await other.dockerOutput('network ls --format {{.Name}}');
  assert.deepEqual(networks.split('\n').sort(), ['host', 'none']);
});

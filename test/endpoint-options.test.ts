/**
 * What the docker client says of a container's interfaces when it creates one: MAC addresses, for the whole container
 * and for each network, names and kernel parameters of interfaces, and which network is the way out.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { engineUnderTest } from './lab/lab.ts';
import { image, inspect, openStory, removeContainers } from './lab/story.ts';

const lab = await openStory();
const aboutOurs = { skip: engineUnderTest === 'dockerd' && 'dockerd 20.10 speaks 1.41 at most' };

before(async () => {
  for (const [index, name] of ['shop', 'back'].entries()) {
    await lab.docker(`network create --subnet 10.${4 + index}.0.0/24 ${name}`);
  }
});

async function hardwareAddress(container: string, link = 'eth0'): Promise<string> {
  return lab.dockerOutput(`exec ${container} cat /sys/class/net/${link}/address`);
}

describe('--mac-address', () => {
  const mac = '02:42:5e:10:00:01';
  // Newer clients say it in the network's own settings, older ones for the whole container.
  const create = {
    1.43: (network: string) =>
      lab.api('POST', '/v1.43/containers/create?name=box', {
        ...{ Image: image, Cmd: ['sleep', '600'], MacAddress: mac, HostConfig: { NetworkMode: network } },
      }),
    '1.50': (network: string) =>
      lab.docker(['create', '--name', 'box', '--net', network, '--mac-address', mac, image, 'sleep', '600']),
  };
  for (const [version, make] of Object.entries(create)) {
    for (const network of ['bridge', 'shop']) {
      test(
        `on ${network} with a client of ${version} stays over restarts and is shown`,
        aboutOurs,
        async () => {
          await make(network);
          await lab.docker('start box');
          assert.equal(await hardwareAddress('box'), mac);
          await lab.docker('stop -t 0 box');
          assert.equal(await lab.dockerOutput('inspect -f {{.Config.MacAddress}} box'), mac);
          await lab.docker('start box');
          assert.equal(await hardwareAddress('box'), mac);
          assert.equal((await inspect(lab, 'box')).NetworkSettings.Networks[network]?.MacAddress, mac);
          await removeContainers(lab, 'box');
        },
      );
    }
  }

  test('is refused where the interfaces are not its own, and where it is none', async () => {
    const create = (...options: string[]) =>
      lab.docker(['create', ...options, image, 'true'], { allowFailure: true });
    const { stderr } = await create('--net', 'host', '--mac-address', mac);
    assert.match(stderr, /conflicting options: mac-address and the network mode/);
    for (const junk of ['junk', '01:00:5e:00:00:01', '00:00:00:00:00:00']) {
      const answer = await create('--mac-address', junk);
      assert.notEqual(answer.code, 0, junk);
      assert.match(answer.stderr, /MAC address|mac address/);
    }
  });

  test('that a client copies from what it read is not taken for one that was asked for', async () => {
    await lab.docker(['run', '-d', '--name', 'box', image, 'sleep', '600']);
    const EndpointsConfig = (await inspect(lab, 'box')).NetworkSettings.Networks;
    const body = { Image: image, Cmd: ['sleep', '600'], NetworkingConfig: { EndpointsConfig } };
    assert.equal((await lab.api('POST', '/v1.43/containers/create?name=copy', body)).status, 201);
    await lab.docker('start copy');
    assert.notEqual(await hardwareAddress('copy'), await hardwareAddress('box'));
    await removeContainers(lab, 'box', 'copy');
  });
});

test('--network with settings for each: MAC address, name, parameters and way out', aboutOurs, async () => {
  const option = 'driver-opt=com.docker.network.endpoint';
  await lab.docker([
    ...['run', '-d', '--name', 'box'],
    ...['--network', `name=shop,mac-address=02:42:5e:10:00:02,gw-priority=1,${option}.ifname=lan0`],
    ...['--network', `name=back,ip=10.5.0.77,${option}.sysctls=net.ipv4.conf.IFNAME.log_martians=1`],
    ...[image, 'sleep', '600'],
  ]);
  assert.equal(await hardwareAddress('box', 'lan0'), '02:42:5e:10:00:02');
  assert.match(await lab.dockerOutput('exec box ip -4 addr show eth0'), /inet 10\.5\.0\.77\/24/);
  assert.equal(await lab.dockerOutput('exec box cat /proc/sys/net/ipv4/conf/eth0/log_martians'), '1');
  const wayOut = 'exec box ip route show default';
  assert.match(await lab.dockerOutput(wayOut), /^default via 10\.4\.0\.1 dev lan0/);
  await removeContainers(lab, 'box');
  // Without priorities the first name is the way out.
  await lab.docker([
    'run',
    '-d',
    '--name',
    'box',
    '--network',
    'shop',
    '--network',
    'back',
    image,
    'sleep',
    '600',
  ]);
  assert.match(await lab.dockerOutput(wayOut), /^default via 10\.5\.0\.1 /);
  await removeContainers(lab, 'box');
});

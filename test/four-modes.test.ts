/**
 * The four network modes as a user of the docker client knows them.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hostAddress, labHostname, outsideAddress } from './lab/lab.ts';
import { addressOf, eventually, image, inspect, openStory, removeContainers } from './lab/story.ts';

const lab = await openStory();
const page = 'hello from the container';

interface IpLink {
  readonly ifindex: number;
  readonly ifname: string;
  readonly master?: string;
  readonly operstate: string;
}

async function hostLinks(): Promise<IpLink[]> {
  return JSON.parse((await lab.run('ip -json link')).stdout) as IpLink[];
}

async function startWeb(name: string, ...options: string[]): Promise<void> {
  await lab.docker(['run', '-d', '--name', name, ...options, image, 'httpd', '-f', '-p', '80', '-h', '/www']);
}

/** Interface names in the listing of `ip -brief link`, without the peer's number. */
function names(briefLinks: string): string[] {
  return briefLinks
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(/[\s@]/)[0] ?? '')
    .sort();
}

await startWeb('web1');
const web1 = await addressOf(lab, 'web1');

describe('bridge mode', () => {
  test('containers reach each other by address', async () => {
    assert.equal(await lab.dockerOutput(`run --rm ${image} wget -qO- http://${web1}`), page);
  });

  test('the container has eth0 with a free address of the pool, and a default route over the bridge', async () => {
    const shown = await lab.dockerOutput([
      'run',
      '--rm',
      image,
      'sh',
      '-c',
      'ip addr; ip route; cat /sys/class/net/eth0/operstate',
    ]);
    assert.match(shown, /^\d+: eth0@if\d+: <[A-Z,_]*UP[A-Z,_]*> mtu 1500/m);
    const address = shown.match(/inet (172\.17\.0\.\d+)\/16 /)?.[1];
    assert.ok(address, shown);
    assert.notEqual(address, web1);
    assert.notEqual(address, '172.17.0.1');
    assert.match(shown, /^default via 172\.17\.0\.1 dev eth0/m);
    assert.match(shown, /^172\.17\.0\.0\/16 dev eth0 .*src 172\.17\.0\.\d+/m);
    assert.match(shown, /inet 172\.17\.0\.\d+\/16 brd 172\.17\.255\.255 scope global eth0/);
    assert.match(shown, /inet 127\.0\.0\.1\/8 /);
    assert.match(shown, /^up$/m);
    assert.equal(shown.match(/^\d+: /gm)?.length, 2, 'lo and eth0 and nothing else');
  });

  test('the peer on the host is called veth..., is enslaved to docker0 and up; eth0 is not seen on the host', async () => {
    const before = await hostLinks();
    const shown = await lab.dockerOutput(`run -d --name peer ${image} sleep 600`);
    assert.match(shown, /^[0-9a-f]{64}$/);
    const added = (await hostLinks()).filter((link) => !before.some((old) => old.ifindex === link.ifindex));
    assert.equal(added.length, 1, 'one new device on the host');
    const [peer] = added;
    assert.match(peer?.ifname ?? '', /^veth[0-9a-f]+$/);
    assert.equal(peer?.master, 'docker0');
    assert.equal(peer?.operstate, 'UP');

    const inside = await lab.dockerOutput(`run --rm --net=container:peer ${image} ip link show eth0`);
    assert.match(inside, new RegExp(`eth0@if${peer?.ifindex}:`));
    await removeContainers(lab, 'peer');
  });

  test('inspect shows the address, the gateway and the MAC address that the container really has', async () => {
    const { NetworkSettings: settings, HostConfig } = await inspect(lab, 'web1');
    const endpoint = settings.Networks.bridge;
    assert.ok(endpoint);
    assert.equal(endpoint.IPAddress, web1);
    assert.equal(endpoint.IPPrefixLen, 16);
    assert.equal(endpoint.Gateway, '172.17.0.1');
    assert.equal(settings.IPAddress, web1);
    assert.equal(settings.MacAddress, endpoint.MacAddress);
    assert.match(endpoint.EndpointID, /^[0-9a-f]{64}$/);
    assert.match(settings.SandboxID, /^[0-9a-f]{64}$/);
    assert.match(HostConfig.NetworkMode, /^(bridge|default)$/);
    const inside = await lab.dockerOutput(
      `run --rm --net=container:web1 ${image} cat /sys/class/net/eth0/address`,
    );
    assert.equal(inside, endpoint.MacAddress);
    const firstByte = Number.parseInt(inside.slice(0, 2), 16);
    assert.equal(firstByte & 0b11, 0b10, 'locally administered, not multicast');
  });

  test('the outside is reached, and sees the address of the host', async () => {
    const server = await lab.startWhoami('outside', 8001);
    const seen = await lab.dockerOutput(`run --rm ${image} wget -qO- http://${outsideAddress}:8001/`);
    assert.equal(seen, hostAddress);
    await server.stop();
  });

  test('the host reaches the container, and the container a service of the host', async () => {
    const fromHost = await lab.run(`busybox wget -qO- http://${web1}/`);
    assert.equal(fromHost.stdout.trim(), page);
    const server = await lab.startWhoami('host', 8002);
    const seen = await lab.dockerOutput([
      'run',
      '--rm',
      image,
      'sh',
      '-c',
      'wget -qO- http://172.17.0.1:8002/; ip -brief address show eth0',
    ]);
    const [source, interfaceLine] = seen.split('\n');
    assert.ok(interfaceLine?.includes(` ${source}/16`), 'the real source address is seen');
    await server.stop();
  });

  test('nothing outside reaches a container address directly', async () => {
    await lab.outside(`ip route add 172.17.0.0/16 via ${hostAddress}`);
    const attempt = await lab.outside(`timeout 1 busybox wget -qO- http://${web1}/`, { allowFailure: true });
    await lab.outside('ip route del 172.17.0.0/16');
    // Port 80 is not published.
    assert.notEqual(attempt.code, 0);
    assert.equal(attempt.stdout, '');
  });

  test('an address is free again when its container has stopped', async () => {
    const address = async () => {
      const shown = await lab.dockerOutput(`run --rm ${image} ip -brief -4 address show eth0`);
      return shown.match(/172\.17\.0\.\d+/)?.[0];
    };
    const first = await address();
    assert.ok(first);
    assert.equal(await address(), first);
  });

  test('two containers started at once have different addresses', async () => {
    const started = ['twin1', 'twin2', 'twin3'];
    await Promise.all(started.map((name) => lab.docker(`run -d --name ${name} ${image} sleep 600`)));
    const addresses = await Promise.all(started.map((name) => addressOf(lab, name)));
    assert.equal(new Set([...addresses, web1]).size, 4);
    await removeContainers(lab, ...started);
  });
});

describe('none mode', () => {
  test('there is the loopback interface alone', async () => {
    const shown = await lab.dockerOutput(`run --rm --net=none ${image} ip -br link`);
    assert.deepEqual(names(shown), ['lo']);
    assert.match(shown, /^lo\s+UNKNOWN\s.*<LOOPBACK,UP,LOWER_UP>/);
  });

  test('127.0.0.1 answers', async () => {
    const script = 'httpd -p 80 -h /www && wget -qO- http://127.0.0.1/ && ping -c 1 -W 1 127.0.0.1';
    const shown = await lab.dockerOutput(['run', '--rm', '--net=none', image, 'sh', '-c', script]);
    assert.match(shown, new RegExp(`^${page}$`, 'm'));
    assert.match(shown, /1 packets received/);
  });

  test('there is no route, and nothing else is reached', async () => {
    const script = `ip route; wget -qO- http://${web1}/`;
    const result = await lab.docker(['run', '--rm', '--net=none', image, 'sh', '-c', script], {
      allowFailure: true,
    });
    assert.equal(result.stdout, '');
    assert.match(result.stderr, /Network is unreachable/);
    assert.notEqual(result.code, 0);
  });

  test('inspect shows the network none without an address', async () => {
    await lab.docker(`run -d --name lonely --net=none ${image} sleep 600`);
    const { NetworkSettings: settings, HostConfig } = await inspect(lab, 'lonely');
    assert.equal(HostConfig.NetworkMode, 'none');
    assert.deepEqual(Object.keys(settings.Networks), ['none']);
    assert.equal(settings.Networks.none?.IPAddress, '');
    assert.equal(settings.IPAddress, '');
    await removeContainers(lab, 'lonely');
  });
});

describe('host mode', () => {
  test('the interfaces and addresses are those of the host', async () => {
    const [inside, outside] = await Promise.all([
      lab.dockerOutput(`run --rm --net=host ${image} ip -br addr show eth0`),
      lab.run('ip -br addr show eth0'),
    ]);
    assert.equal(inside, outside.stdout.trim());
    const links = await lab.dockerOutput(`run --rm --net=host ${image} ip -br link`);
    assert.deepEqual(names(links), (await hostLinks()).map((link) => link.ifname).sort());
  });

  test('the hostname is that of the host', async () => {
    assert.equal(await lab.dockerOutput(`run --rm --net=host ${image} hostname`), labHostname);
  });

  test('its ports are ports of the host', async () => {
    await lab.docker([
      'run',
      '-d',
      '--name',
      'server',
      '--net=host',
      image,
      ...'httpd -f -p 8003 -h /www'.split(' '),
    ]);
    await eventually(async () => {
      const seen = await lab.outside(`busybox wget -qO- http://${hostAddress}:8003/`);
      assert.equal(seen.stdout.trim(), page);
    });
    const { NetworkSettings: settings } = await inspect(lab, 'server');
    assert.deepEqual(Object.keys(settings.Networks), ['host']);
    assert.equal(settings.IPAddress, '');
    await removeContainers(lab, 'server');
  });

  test('file system and processes are its own', async () => {
    await lab.run('touch /run/seen-on-the-host');
    const script = 'echo $$; ls /run/seen-on-the-host; ps | grep -c "[d]aemon\\|[d]ockerd"';
    const result = await lab.docker(['run', '--rm', '--net=host', image, 'sh', '-c', script], {
      allowFailure: true,
    });
    assert.deepEqual(result.stdout.trim().split('\n'), ['1', '0']);
    assert.match(result.stderr, /No such file/);
  });
});

describe('container mode', () => {
  test('the other is reached on 127.0.0.1', async () => {
    const command = `run --rm --net=container:web1 ${image} wget -qO- http://127.0.0.1:80/`;
    assert.equal(await lab.dockerOutput(command), page);
  });

  test('the address is the same, by name, id and prefix of the id', async () => {
    const { Id } = await inspect(lab, 'web1');
    for (const reference of ['web1', Id, Id.slice(0, 10)]) {
      const shown = await lab.dockerOutput(
        `run --rm --net=container:${reference} ${image} ip -br addr show eth0`,
      );
      assert.match(shown, new RegExp(` ${web1}/16`));
    }
  });

  test('ports are shared both ways', async () => {
    await lab.docker([
      'run',
      '-d',
      '--name',
      'side',
      '--net=container:web1',
      image,
      ...'httpd -f -p 81 -h /www'.split(' '),
    ]);
    assert.equal(await lab.dockerOutput(`run --rm ${image} wget -qO- http://${web1}:81/`), page);
    const taken = await lab.docker(`run --rm --net=container:web1 ${image} httpd -f -p 80`, {
      allowFailure: true,
    });
    assert.match(taken.stderr, /Address already in use/);
    await removeContainers(lab, 'side');
  });

  test('hostname and network files are those of the other', async () => {
    const own = await inspect(lab, 'web1');
    const script = 'hostname; cat /etc/hostname; grep -c "$(hostname)" /etc/hosts';
    const shown = await lab.dockerOutput(['run', '--rm', '--net=container:web1', image, 'sh', '-c', script]);
    assert.deepEqual(shown.split('\n'), [own.Config.Hostname, own.Config.Hostname, '1']);
  });

  test('file systems and processes are separate', async () => {
    await lab.docker(['run', '-d', '--name', 'owner', image, 'sh', '-c', 'touch /mark; exec sleep 600']);
    const script = 'ls /mark; ps';
    const result = await lab.docker(['run', '--rm', '--net=container:owner', image, 'sh', '-c', script]);
    assert.match(result.stderr, /No such file/);
    assert.doesNotMatch(result.stdout, /sleep 600/);
    await removeContainers(lab, 'owner');
  });

  test('inspect names the other by its full id and has no endpoint of its own', async () => {
    const owner = await inspect(lab, 'web1');
    await lab.docker(`run -d --name joined --net=container:web1 ${image} sleep 600`);
    const joined = await inspect(lab, 'joined');
    assert.equal(joined.HostConfig.NetworkMode, `container:${owner.Id}`);
    assert.deepEqual(joined.NetworkSettings.Networks, {});
    assert.equal(joined.NetworkSettings.SandboxKey, '');
    assert.equal(joined.NetworkSettings.IPAddress, '');
    assert.equal(joined.HostsPath, owner.HostsPath);
    assert.equal(joined.ResolvConfPath, owner.ResolvConfPath);
    await removeContainers(lab, 'joined');
  });

  test('a container that itself joined another can be joined, and has the same address', async () => {
    await lab.docker(`run -d --name middle --net=container:web1 ${image} sleep 600`);
    const shown = await lab.dockerOutput(`run --rm --net=container:middle ${image} ip -br addr show eth0`);
    assert.match(shown, new RegExp(` ${web1}/16`));
    await removeContainers(lab, 'middle');
  });

  test('a container that joined goes on with loopback alone when the other stops', async () => {
    await lab.docker(`run -d --name first ${image} sleep 600`);
    // What was eth0 has another name for the moment until it is deleted.
    const script = 'while ip link | grep -q ether; do sleep 0.1; done; ip -br link';
    await lab.docker(['run', '-d', '--name', 'second', '--net=container:first', image, 'sh', '-c', script]);
    await lab.docker('kill first');
    assert.equal(await lab.dockerOutput('wait second'), '0');
    assert.deepEqual(names(await lab.dockerOutput('logs second')), ['lo']);
    await removeContainers(lab, 'first', 'second');
  });
});

/**
 * Networks that users make, as they know them from the docker client: made, shown, used by containers that come and
 * go while they run, and removed.
 */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { hostAddress, hostAddress6, outsideAddress, outsideAddress6 } from './lab/lab.ts';
import { RawApi } from './lab/raw-api.ts';
import { eventually, image, inspect, openStory, removeContainers } from './lab/story.ts';

const lab = await openStory();
afterEach(() => new RawApi(lab).clear());

const docker = (command: string | readonly string[]) => lab.dockerOutput(command);
const run = (name: string, ...options: string[]) =>
  docker(['run', '-d', '--name', name, ...options, image, 'sleep', '600']);
const page = 'hello from the container';
/** A container with a web server that answers with {@link page}. */
const serve = (name: string, network: string) =>
  docker(`run -d --name ${name} --net ${network} ${image} httpd -f -p 80 -h /www`);
const inside = (container: string, command: string) => docker(['exec', container, 'sh', '-c', command]);

/** What a refused command wrote to standard error. */
async function refused(command: string | readonly string[]): Promise<string> {
  const result = await lab.docker(command, { allowFailure: true });
  assert.notEqual(result.code, 0, `${command} was not refused`);
  return result.stderr;
}

/** The interfaces of a container but `lo`, each with its addresses of global scope. */
async function interfaces(container: string): Promise<Record<string, string[]>> {
  const links = JSON.parse(await inside(container, 'ip -json address')) as {
    ifname: string;
    addr_info: { local: string; prefixlen: number; scope: string }[];
  }[];
  return Object.fromEntries(
    links
      .filter(({ ifname }) => ifname !== 'lo')
      .map(({ ifname, addr_info: addresses }) => [
        ifname,
        addresses
          .filter(({ scope }) => scope === 'global')
          .map(({ local, prefixlen }) => `${local}/${prefixlen}`),
      ]),
  );
}

/** The gateways of the default routes, IPv4 and then IPv6, each with its interface. */
async function waysOut(container: string): Promise<string[]> {
  const routes = await inside(container, 'ip route show default; ip -6 route show default');
  return [...routes.matchAll(/^default via (\S+) dev (\S+)/gm)].map(
    ([, gateway, name]) => `${gateway} ${name}`,
  );
}

/** The lines of the hosts file that are about the container itself. */
async function ownLines(container: string): Promise<string[]> {
  const hosts = await inside(container, 'cat /etc/hosts');
  return hosts.split('\n').filter((line) => !/localhost|ip6-/.test(line));
}

const bridges = async () =>
  (await lab.run('ip -brief link show type bridge')).stdout.trim().split('\n').length;

describe('from the command line', () => {
  test('create, ls, inspect and rm', async () => {
    const id = await docker(
      'network create --label tier=front --subnet 10.90.0.0/24 --gateway 10.90.0.9 -o my=option shop',
    );
    assert.match(id, /^[0-9a-f]{64}$/);
    const table = await docker('network ls --filter name=shop');
    assert.match(
      table,
      new RegExp(`^NETWORK ID\\s+NAME\\s+DRIVER\\s+SCOPE\\n${id.slice(0, 12)}\\s+shop\\s+bridge\\s+local$`),
    );
    const format =
      '{{.ID}} {{.Name}} {{.Driver}} {{.Scope}} {{.Internal}} {{.IPv6}} {{.Labels}} {{.Label "tier"}}';
    assert.equal(
      await docker(['network', 'ls', '--no-trunc', '--filter', 'label=tier=front', '--format', format]),
      `${id} shop bridge local false false tier=front front`,
    );
    assert.equal(await docker('network ls -q --filter type=custom'), id.slice(0, 12));
    const [shown] = JSON.parse(await docker('network inspect --verbose shop'));
    assert.deepEqual(shown.IPAM.Config, [{ Subnet: '10.90.0.0/24', Gateway: '10.90.0.9' }]);
    assert.deepEqual([shown.Options, shown.Labels], [{ my: 'option' }, { tier: 'front' }]);
    assert.equal(
      await docker(['network', 'inspect', '--format', '{{(index .IPAM.Config 0).Gateway}}', id.slice(0, 8)]),
      '10.90.0.9',
    );
    assert.match(await refused('network create shop'), /network with name shop already exists/);
    assert.equal(await docker('network rm shop'), 'shop');
    assert.match(await refused('network rm shop'), /network shop not found/);
    assert.equal(await docker('network rm -f shop'), '');
  });

  test('our own command line makes the same, and the two understand each other', async () => {
    const id = (
      await lab.seaway(
        'network create --ipv6 --internal --attachable --subnet 10.90.0.0/24 --subnet fd90::/64 --label a=b shop',
      )
    ).stdout.trim();
    const [ours] = JSON.parse((await lab.seaway('network inspect shop')).stdout);
    const [theirs] = JSON.parse(await docker('network inspect shop'));
    assert.equal(ours.Id, id);
    assert.deepEqual(theirs.IPAM.Config, ours.IPAM.Config);
    assert.deepEqual(
      [ours.Internal, ours.Attachable, ours.EnableIPv6, ours.Labels],
      [true, true, true, { a: 'b' }],
    );
    assert.match(
      (await lab.seaway('network ls')).stdout,
      new RegExp(`${id.slice(0, 12)}\\s+shop\\s+bridge\\s+local`),
    );
    await run('c1');
    await lab.seaway('network connect --ip 10.90.0.7 --alias web shop c1');
    assert.deepEqual(await interfaces('c1'), {
      eth0: ['172.17.0.2/16'],
      eth1: ['10.90.0.7/24', 'fd90::2/64'],
    });
    await lab.seaway('network disconnect shop c1');
    await removeContainers(lab, 'c1');
    assert.equal((await lab.seaway('network rm shop')).stdout.trim(), 'shop');
  });

  test('a network in use is not removed, and the error names by whom; a stopped container does not count', async () => {
    await docker('network create shop');
    await run('c1', '--net', 'shop');
    assert.match(
      await refused('network rm shop'),
      /network shop has active endpoints \(name:"c1" id:"[0-9a-f]{12}"\)/,
    );
    await docker('kill c1');
    await docker('network rm shop');
    assert.match(await refused('start c1'), /network [0-9a-f]{64} not found/);
  });

  test('disconnect -f takes a container off, running or not', async () => {
    await docker('network create shop');
    await run('c1', '--net', 'shop');
    await docker('network disconnect -f shop c1');
    assert.deepEqual(await interfaces('c1'), {});
    assert.match(await refused('network disconnect -f shop c1'), /is not connected to network shop/);
    assert.match(await refused('network disconnect -f shop nobody'), /endpoint nobody not found/);
  });

  test('prune removes what nothing is connected to', async () => {
    for (const name of ['used', 'idle', 'labelled'])
      await docker(`network create --label is=${name} ${name}`);
    await run('c1', '--net', 'used');
    assert.equal(await docker('network prune -f --filter label!=is=labelled'), 'Deleted Networks:\nidle');
    assert.equal(await docker('network prune -f --filter until=1h'), '');
    assert.equal(await docker('network prune -f'), 'Deleted Networks:\nlabelled');
    await removeContainers(lab, 'c1');
    assert.match((await lab.seaway('network prune -f')).stdout, /^Deleted Networks:\nused$/m);
    await eventually(async () => assert.equal(await bridges(), 1));
  });
});

describe('several networks', () => {
  test('interfaces have the lowest free names, come and go while the container runs, and so do the lines of its hosts file', async () => {
    for (const [index, name] of ['n1', 'n2', 'n3'].entries())
      await docker(`network create --subnet 10.9${index}.0.0/24 ${name}`);
    await run('c1', '--net', 'n1', '--hostname', 'me');
    assert.deepEqual(await interfaces('c1'), { eth0: ['10.90.0.2/24'] });
    assert.deepEqual(await ownLines('c1'), ['10.90.0.2\tme']);
    await docker('network connect n2 c1');
    await docker('network connect n3 c1');
    assert.deepEqual(await interfaces('c1'), {
      eth0: ['10.90.0.2/24'],
      eth1: ['10.91.0.2/24'],
      eth2: ['10.92.0.2/24'],
    });
    assert.deepEqual(await ownLines('c1'), ['10.90.0.2\tme', '10.91.0.2\tme', '10.92.0.2\tme']);
    await docker('network disconnect n2 c1');
    await eventually(async () =>
      assert.deepEqual(await interfaces('c1'), { eth0: ['10.90.0.2/24'], eth2: ['10.92.0.2/24'] }),
    );
    assert.deepEqual(await ownLines('c1'), ['10.90.0.2\tme', '10.92.0.2\tme']);
    await docker('network connect --ip 10.91.0.50 n2 c1');
    assert.deepEqual(await interfaces('c1'), {
      eth0: ['10.90.0.2/24'],
      eth2: ['10.92.0.2/24'],
      eth1: ['10.91.0.50/24'],
    });
    await docker('network disconnect n1 c1');
    await docker('network connect bridge c1');
    assert.deepEqual((await interfaces('c1')).eth0, ['172.17.0.2/16']);
    const { Networks } = (await inspect(lab, 'c1')).NetworkSettings;
    assert.deepEqual(Object.keys(Networks).sort(), ['bridge', 'n2', 'n3']);
  });

  test('a container is created on several at once, each with its own settings', async () => {
    await docker('network create --subnet 10.90.0.0/24 n1');
    await docker('network create --subnet 10.91.0.0/24 n2');
    await run(
      'c1',
      '--network',
      'name=n1,ip=10.90.0.5,alias=a,mac-address=02:00:00:00:00:11',
      '--network',
      'name=n2,ip=10.91.0.6,alias=b',
    );
    const { Networks } = (await inspect(lab, 'c1')).NetworkSettings;
    assert.deepEqual(
      Object.entries(Networks)
        .map(([name, { IPAddress }]) => `${name} ${IPAddress}`)
        .sort(),
      ['n1 10.90.0.5', 'n2 10.91.0.6'],
    );
    assert.equal(Networks.n1?.MacAddress, '02:00:00:00:00:11');
    assert.equal(Object.keys(await interfaces('c1')).length, 2);
  });

  test('--ip, --ip6, --mac-address and --network-alias', async () => {
    await docker('network create --ipv6 --subnet 10.90.0.0/24 --subnet fd90::/64 n1');
    await run(
      'c1',
      '--net',
      'n1',
      '--ip',
      '10.90.0.33',
      '--ip6',
      'fd90::33',
      '--mac-address',
      '02:00:00:00:00:33',
      '--network-alias',
      'web',
    );
    assert.deepEqual(await interfaces('c1'), { eth0: ['10.90.0.33/24', 'fd90::33/64'] });
    assert.equal(await inside('c1', 'cat /sys/class/net/eth0/address'), '02:00:00:00:00:33');
    assert.deepEqual(await ownLines('c1'), [
      `10.90.0.33\t${(await inspect(lab, 'c1')).Config.Hostname}`,
      `fd90::33\t${(await inspect(lab, 'c1')).Config.Hostname}`,
    ]);
    assert.match(await inside('c1', 'getent ahosts web'), /fd90::33/);
    assert.match(await refused(`run --rm --net n1 --ip 10.90.0.33 ${image} true`), /Address already in use/);
    assert.match(
      await refused(`run --rm --ip 172.17.0.33 ${image} true`),
      /user.specified IP address is supported on user.defined networks only/,
    );
    assert.match(
      await refused(`run --rm --network-alias x ${image} true`),
      /network-scoped aliases are only supported for user-defined networks/,
    );
  });
});

describe('the way out', () => {
  test('goes over the first name in byte order, and moves when that comes and goes', async () => {
    for (const [index, name] of ['b', 'C', 'a'].entries())
      await docker(`network create --subnet 10.9${index}.0.0/24 net-${name}`);
    await run('c1', '--net', 'net-b');
    assert.deepEqual(await waysOut('c1'), ['10.90.0.1 eth0']);
    await docker('network connect net-C c1');
    assert.deepEqual(await waysOut('c1'), ['10.91.0.1 eth1'], 'upper case comes first');
    await docker('network connect net-a c1');
    assert.deepEqual(await waysOut('c1'), ['10.91.0.1 eth1']);
    await docker('network disconnect net-C c1');
    assert.deepEqual(await waysOut('c1'), ['10.92.0.1 eth2']);
    await docker('network connect bridge c1');
    assert.deepEqual(await waysOut('c1'), ['172.17.0.1 eth1'], 'so does bridge');
    await docker('network disconnect bridge c1');
    await docker('network disconnect net-a c1');
    assert.deepEqual(await waysOut('c1'), ['10.90.0.1 eth0']);
    await docker('network disconnect net-b c1');
    assert.deepEqual(await waysOut('c1'), []);
    await docker('network connect net-C c1');
    assert.deepEqual(await waysOut('c1'), ['10.91.0.1 eth0']);
  });

  test('goes over the network of the highest priority', async () => {
    for (const [index, name] of ['n1', 'n2', 'n3'].entries())
      await docker(`network create --subnet 10.9${index}.0.0/24 ${name}`);
    await run('c1', '--network', 'name=n1', '--network', 'name=n2,gw-priority=5');
    assert.match((await waysOut('c1')).join(), /^10\.91\.0\.1 /);
    await docker('network connect --gw-priority 7 n3 c1');
    assert.match((await waysOut('c1')).join(), /^10\.92\.0\.1 /);
    await docker('network disconnect n3 c1');
    assert.match((await waysOut('c1')).join(), /^10\.91\.0\.1 /);
    await docker('network connect --gw-priority -3 n3 c1');
    await docker('network disconnect n2 c1');
    assert.match((await waysOut('c1')).join(), /^10\.90\.0\.1 /);
    await docker('restart -t0 c1');
    assert.match((await waysOut('c1')).join(), /^10\.90\.0\.1 /);
  });

  test('is never an internal network, and stays where it is when the container comes to one', async () => {
    await docker('network create --internal --subnet 10.90.0.0/24 inner');
    await docker('network create --subnet 10.91.0.0/24 outer');
    await run('c1', '--net', 'inner');
    assert.deepEqual(await waysOut('c1'), []);
    assert.notEqual(
      (await lab.docker(`exec c1 ping -c1 -W1 ${outsideAddress}`, { allowFailure: true })).code,
      0,
    );
    await docker('network connect outer c1');
    assert.deepEqual(await waysOut('c1'), ['10.91.0.1 eth1']);
    await docker(`exec c1 ping -c1 -W5 ${outsideAddress}`);
    await docker('network disconnect outer c1');
    assert.deepEqual(await waysOut('c1'), []);
  });

  test('is one for each family: a dual-stack network before one of a single family', async () => {
    await docker('network create --subnet 10.90.0.0/24 a-four');
    await docker('network create --ipv6 --subnet 10.91.0.0/24 --subnet fd91::/64 b-both');
    await docker('network create --ipv4=false --ipv6 --subnet fd92::/64 c-six');
    await run('c1', '--net', 'c-six');
    assert.deepEqual(await waysOut('c1'), ['fd92::1 eth0']);
    await docker('network connect a-four c1');
    assert.deepEqual(await waysOut('c1'), ['10.90.0.1 eth1', 'fd92::1 eth0']);
    await docker('network connect b-both c1');
    assert.deepEqual(await waysOut('c1'), ['10.91.0.1 eth2', 'fd91::1 eth2']);
    await docker('network disconnect b-both c1');
    assert.deepEqual(await waysOut('c1'), ['10.90.0.1 eth1', 'fd92::1 eth0']);
    await docker('network disconnect c-six c1');
    assert.deepEqual(await waysOut('c1'), ['10.90.0.1 eth1']);
  });
});

await lab.startWhoami('outside', 8080);

describe('IPv6', () => {
  const outside6 = `http://[${outsideAddress6}]:8080/`;

  test('dual stack, end to end', async () => {
    await docker('network create --ipv6 --subnet 10.90.0.0/24 --subnet fd90::/64 both');
    await run('c1', '--net', 'both');
    await serve('web', 'both');
    assert.deepEqual(await interfaces('c1'), { eth0: ['10.90.0.2/24', 'fd90::2/64'] });
    assert.deepEqual(await waysOut('c1'), ['10.90.0.1 eth0', 'fd90::1 eth0']);
    await docker('exec c1 ping -c1 -W5 web');
    await docker('exec c1 ping6 -c1 -W5 web');
    await docker('exec c1 ping6 -c1 -W5 fd90::1');
    assert.equal(await docker('exec c1 wget -qO- http://[fd90::3]/'), page);
    assert.equal(await docker('exec c1 wget -qO- http://web/'), page);
    assert.equal(await docker(`exec c1 wget -qO- ${outside6}`), hostAddress6);
    assert.equal(await docker(`exec c1 wget -qO- http://${outsideAddress}:8080/`), hostAddress);
    assert.match((await lab.run('busybox wget -qO- http://[fd90::3]/')).stdout, /hello/);
    const answers = await inside('c1', 'nslookup web.');
    assert.match(answers, /Address(: | 1: )10\.90\.0\.3/);
    assert.match(answers, /Address(: | 2: )fd90::3/);
  });

  test('without IPv4, end to end', async () => {
    await docker('network create --ipv4=false --ipv6 six');
    await run('c1', '--net', 'six');
    await serve('web', 'six');
    const seat = Object.values(await interfaces('c1'));
    assert.match(seat.join(), /^fd[0-9a-f:]+::2\/64$/);
    assert.match((await waysOut('c1')).join(), /^fd[0-9a-f:]+::1 eth0$/);
    await docker('exec c1 ping6 -c1 -W5 web');
    assert.equal(await docker('exec c1 wget -qO- http://web/'), page);
    assert.equal(await docker(`exec c1 wget -qO- ${outside6}`), hostAddress6);
    assert.deepEqual(
      (await ownLines('c1')).map((line) => line.split('\t')[0]),
      [seat[0]?.[0]?.replace('/64', '')],
    );
    assert.equal((await inspect(lab, 'c1')).NetworkSettings.Networks.six?.IPAddress, '');
  });

  test('where a network has none, its interface has none', async () => {
    await docker('network create four');
    await docker('network create --ipv6 both');
    await run('c1', '--net', 'four');
    assert.equal(await inside('c1', 'ip -6 address show dev eth0'), '');
    await docker('network connect both c1');
    assert.equal(await inside('c1', 'ip -6 address show dev eth0'), '');
    assert.match(await inside('c1', 'ip -6 address show dev eth1'), /inet6 fd/);
    assert.match((await ownLines('c1')).join(), /fd[0-9a-f:]+::2/);
    await docker('network disconnect both c1');
    assert.doesNotMatch((await ownLines('c1')).join(), /fd/);
  });
});

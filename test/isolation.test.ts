/**
 * Who reaches whom, tried with real packets in both address families: between networks, out of and into internal
 * ones, where containers may not talk to each other, in every gateway mode, and from elsewhere by direct routes.
 */
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { openInetSocket, runInNamespace, startConnecting } from '@seaway/linux';
import { hostAddress, hostAddress6, outsideAddress, outsideAddress6 } from './lab/lab.ts';
import { RawApi } from './lab/raw-api.ts';
import { openStory } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);

type Family = 'ipv4' | 'ipv6';
const families: readonly Family[] = ['ipv4', 'ipv6'];
/** What does not answer within this time is not reached. */
const PATIENCE_MS = 1000;
const LONG_PATIENCE_MS = 8000;
const PORT = 80;

const option = (name: string) => `com.docker.network.bridge.${name}`;
const mode = (value: string) => ({
  [option('gateway_mode_ipv4')]: value,
  [option('gateway_mode_ipv6')]: value,
});

/** Networks by name, each with blocks 10.80.N.0/24 and fd80:N::/64. */
const networks: Record<string, object> = {
  first: {},
  second: {},
  inner: { Internal: true },
  inner2: { Internal: true },
  quiet: { Options: { [option('enable_icc')]: 'false' } },
  open: { Options: mode('nat-unprotected') },
  routed: { Options: mode('routed') },
  alone: { Internal: true, Options: mode('isolated') },
  bare: { Options: { [option('enable_ip_masquerade')]: 'false' } },
};

/** Containers by name, and their networks. */
const containers: Record<string, readonly string[]> = {
  first1: ['first'],
  first2: ['first'],
  second1: ['second'],
  both: ['first', 'second'],
  inner1: ['inner'],
  inner2: ['inner'],
  other1: ['inner2'],
  quiet1: ['quiet'],
  quiet2: ['quiet'],
  open1: ['open'],
  routed1: ['routed'],
  alone1: ['alone'],
  alone2: ['alone'],
  bare1: ['bare'],
};

/** Everybody who can be talked to: containers on each of their networks, the bridges, the host, the outside. */
const places = new Map<string, Readonly<Record<Family, string>>>([
  ['host', { ipv4: hostAddress, ipv6: hostAddress6 }],
  ['outside', { ipv4: outsideAddress, ipv6: outsideAddress6 }],
]);
/** Paths in the lab. */
const namespaces = new Map<string, string>([
  ['host', '/proc/1/ns/net'],
  ['outside', '/run/netns/outside'],
]);

await lab.startWhoami('host', PORT);
await lab.startWhoami('outside', PORT);
for (const [index, [name, body]] of Object.entries(networks).entries()) {
  const blocks = [{ Subnet: `10.80.${index}.0/24` }, { Subnet: `fd80:${index}::/64` }];
  await api.createNetwork(name, { EnableIPv6: true, IPAM: { Config: blocks }, ...body });
  places.set(`gateway of ${name}`, { ipv4: `10.80.${index}.1`, ipv6: `fd80:${index}::1` });
}
await Promise.all(
  Object.entries(containers).map(async ([name, on]) => {
    const endpoints = Object.fromEntries(on.map((network) => [network, {}]));
    const web = { Cmd: ['httpd', '-f', '-p', String(PORT), '-h', '/www'] };
    await api.run(name, on[0]!, web, endpoints);
    const { Networks, SandboxKey } = (await api.inspect(name)).NetworkSettings;
    namespaces.set(name, SandboxKey);
    for (const network of on) {
      const { IPAddress, GlobalIPv6Address } = Networks[network]!;
      const place = on.length > 1 ? `${name} on ${network}` : name;
      places.set(place, { ipv4: IPAddress, ipv6: GlobalIPv6Address });
    }
  }),
);
await lab.outside('ip route add 10.80.0.0/16 via 198.51.100.1');
await lab.outside('ip -6 route add fd80::/16 via 2001:db8::1');

/** Whether a TCP connection from one place to an address comes about. */
function reaches(from: string, address: string, patienceMs = PATIENCE_MS): Promise<boolean> {
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const fd = runInNamespace(lab.pathInside(namespaces.get(from)!), () => {
    const socket = openInetSocket('tcp', family);
    try {
      startConnecting(socket.fd, address, PORT);
    } catch {
      // There is no way there at all.
    }
    return socket.fd;
  });
  const socket = new Socket({ fd, readable: true, writable: true });
  let answer = '';
  socket.on('data', (text) => {
    answer += text;
    if (answer.startsWith('HTTP/1.')) resolve(true);
  });
  socket.on('error', () => resolve(false));
  socket.on('close', () => resolve(false));
  socket.write('GET / HTTP/1.0\r\n\r\n');
  const timer = setTimeout(resolve, patienceMs, false);
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}

/** All at once; the addresses that should not be reached are given {@link PATIENCE_MS}. */
async function expectReaches(
  ...cases: readonly (readonly [from: string, addresses: readonly string[], expected: boolean])[]
): Promise<void> {
  const all = cases.flatMap(([from, addresses, wanted]) =>
    addresses.map((address) => ({ from, address, wanted })),
  );
  const seen = await Promise.all(
    all.map(async ({ from, address, wanted }) => {
      const isReached = await reaches(from, address, wanted ? LONG_PATIENCE_MS : PATIENCE_MS);
      return `${from} to ${address}: ${isReached}`;
    }),
  );
  assert.deepEqual(
    seen,
    all.map(({ from, address, wanted }) => `${from} to ${address}: ${wanted}`),
  );
}

const addressesOf = (...names: readonly string[]) =>
  names.flatMap((name) => Object.values(places.get(name)!));

/** Whether pings are answered. */
async function pings(from: string, address: string): Promise<boolean> {
  const argv = ['nsenter', `--net=${namespaces.get(from)}`, '--', 'ping', '-c', '1', '-W', '1', address];
  return (await lab.run(argv, { allowFailure: true })).code === 0;
}

/** Where one can connect to from a place, in one family or the other, each as `NAME over FAMILY`. */
async function reached(from: string): Promise<string[]> {
  const wanted = new Set(expected[from]);
  const all = await Promise.all(
    [...places].flatMap(([name, addresses]) =>
      families.map(async (family) => {
        const seen = await reaches(from, addresses[family]);
        // The machine may have other work; what is reached in the end is reached.
        const isReached =
          seen || (wanted.has(name) && (await reaches(from, addresses[family], LONG_PATIENCE_MS)));
        return isReached ? [`${name} over ${family}`] : [];
      }),
    ),
  );
  return all.flat().sort();
}

const gateways = Object.keys(networks)
  .filter((name) => name !== 'alone')
  .map((name) => `gateway of ${name}`);
/** What every container with a way out reaches: the host by all its addresses, and the outside. */
const world = ['host', 'outside', ...gateways];
/** Everything that the host has an address next to. */
const neighbours = [...places.keys()].filter((name) => !name.includes('alone'));

/** Whom one can connect to from where; nobody else, in neither family. */
const expected: Record<string, readonly string[]> = {
  first1: [...world, 'first1', 'first2', 'both on first'],
  second1: [...world, 'second1', 'both on second'],
  both: [...world, 'first1', 'first2', 'second1', 'both on first', 'both on second'],
  inner1: ['gateway of inner', 'inner1', 'inner2'],
  other1: ['gateway of inner2', 'other1'],
  quiet1: [...world, 'quiet1'],
  open1: [...world, 'open1'],
  routed1: [...world, 'routed1'],
  alone1: ['alone1', 'alone2'],
  bare1: [...world, 'bare1'],
  host: neighbours,
  outside: ['host', 'outside', ...gateways, 'open1'],
};

async function expectReach(): Promise<void> {
  const names = Object.keys(expected);
  const seen = await Promise.all(names.map(reached));
  const inBoth = (targets: readonly string[]) =>
    [...new Set(targets)].flatMap((target) => families.map((family) => `${target} over ${family}`)).sort();
  assert.deepEqual(
    Object.fromEntries(names.map((name, index) => [name, seen[index]])),
    Object.fromEntries(names.map((name) => [name, inBoth(expected[name]!)])),
  );
}

test('who connects to whom', expectReach);

test('who connects to whom when the daemon was killed and came back', async () => {
  await lab.engine.restart('SIGKILL');
  await expectReach();
});

describe('pings', () => {
  const cases: [from: string, to: string, answered: boolean][] = [
    ['first1', 'first2', true],
    ['first1', 'second1', false],
    ['first1', 'both on second', false],
    ['first1', 'inner1', false],
    ['first1', 'outside', true],
    ['inner1', 'inner2', true],
    ['host', 'inner1', true],
    ['outside', 'inner1', false],
    ['outside', 'first1', false],
    ['outside', 'bare1', false],
    ['outside', 'open1', true],
    ['outside', 'routed1', true],
    ['first1', 'routed1', true],
    ['inner1', 'routed1', false],
    ['quiet1', 'quiet2', false],
    ['host', 'quiet1', true],
    ['quiet1', 'outside', true],
    ['alone1', 'alone2', true],
  ];
  test('are answered where they should be, in both families', async () => {
    const asked = cases.flatMap(([from, to, answered]) =>
      families.map((family) => ({ from, to, family, answered, address: places.get(to)![family] })),
    );
    const seen = await Promise.all(
      asked.map(
        async ({ from, to, family, address }) =>
          `${from} to ${to} over ${family}: ${await pings(from, address)}`,
      ),
    );
    assert.deepEqual(
      seen,
      asked.map(({ from, to, family, answered }) => `${from} to ${to} over ${family}: ${answered}`),
    );
  });
});

/** With which address somebody arrives outside. */
async function arrivesAs(from: string, family: Family): Promise<string> {
  const address = family === 'ipv4' ? outsideAddress : `[${outsideAddress6}]`;
  const argv = [
    'nsenter',
    `--net=${namespaces.get(from)}`,
    '--',
    'busybox',
    'wget',
    '-qO-',
    `http://${address}:${PORT}/`,
  ];
  return (await lab.run(argv)).stdout.trim();
}

describe('the address that containers arrive with outside', () => {
  for (const [container, own] of [
    ['first1', false],
    ['quiet1', false],
    ['open1', false],
    ['bare1', true],
    ['routed1', true],
  ] as const) {
    test(`${container}: ${own ? 'its own' : "the host's"}`, async () => {
      const place = places.get(container)!;
      assert.equal(await arrivesAs(container, 'ipv4'), own ? place.ipv4 : hostAddress);
      assert.equal(await arrivesAs(container, 'ipv6'), own ? place.ipv6 : hostAddress6);
    });
  }

  test('to the host itself it is their own', async () => {
    const seen = await lab.run([
      'nsenter',
      `--net=${namespaces.get('first1')}`,
      '--',
      'busybox',
      'wget',
      '-qO-',
      `http://${hostAddress}:${PORT}/`,
    ]);
    assert.equal(seen.stdout.trim(), places.get('first1')!.ipv4);
  });
});

describe('containers that help themselves', () => {
  /** Runs `ip` inside a container's namespace as a container with every privilege could. */
  const ip = (container: string, command: string) =>
    lab.run(['nsenter', `--net=${namespaces.get(container)}`, '--', 'ip', ...command.split(' ')]);

  test('an internal one with a default route gets neither out nor to other networks', async () => {
    const { ipv4, ipv6 } = places.get('gateway of inner')!;
    await ip('inner1', `route add default via ${ipv4}`);
    await ip('inner1', `-6 route add default via ${ipv6}`);
    const targets = ['outside', 'first1', 'second1', 'open1', 'routed1', 'other1', 'quiet1'];
    await expectReaches(['inner1', addressesOf(...targets), false]);
    await ip('inner1', 'route del default');
    await ip('inner1', '-6 route del default');
  });

  test('one that claims an address of another network gets no answer and does not disturb its owner', async () => {
    const { ipv4, ipv6 } = places.get('second1')!;
    await ip('first1', `address add ${ipv4}/32 dev eth0`);
    await ip('first1', `-6 address add ${ipv6}/128 dev eth0 nodad`);
    await expectReaches(['host', [ipv4, ipv6], true], ['both', [ipv4, ipv6], true]);
    await ip('first1', `address del ${ipv4}/32 dev eth0`);
    await ip('first1', `-6 address del ${ipv6}/128 dev eth0`);
  });

  test('one on two networks that routes does not join them for others', async () => {
    await lab.run([
      'nsenter',
      `--net=${namespaces.get('both')}`,
      '--',
      'sysctl',
      '-qw',
      'net.ipv4.ip_forward=1',
    ]);
    // A neighbour may well be used as a router: what counts is that the host does not do it.
    await expectReaches(['first2', addressesOf('second1'), false]);
  });

  test('where containers may not talk, neither a static neighbour entry nor a link-local address helps', async () => {
    const target = (await api.inspect('quiet2')).NetworkSettings.Networks.quiet!;
    await ip('quiet1', `neigh replace ${target.IPAddress} lladdr ${target.MacAddress} dev eth0`);
    await expectReaches(['quiet1', [target.IPAddress], false]);
    const listing = await ip('quiet2', '-6 -json address show dev eth0 scope link');
    const [{ addr_info: [linkLocal] = [] } = {}] = JSON.parse(listing.stdout) as {
      addr_info: { local: string }[];
    }[];
    assert.ok(linkLocal);
    assert.equal(await pings('quiet1', `${linkLocal.local}%eth0`), false);
  });
});

describe('changes while containers run', () => {
  test('one that comes to a second network is reached there at once and not any more when it left', async () => {
    await api.connect('second', 'first1');
    const { IPAddress, GlobalIPv6Address } = await api.endpoint('first1', 'second');
    const there = [IPAddress, GlobalIPv6Address];
    await expectReaches(['second1', there, true], ['first2', there, false]);
    await api.disconnect('second', 'first1');
    await expectReaches(['second1', there, false], ['first1', addressesOf('second1'), false]);
  });

  test('one that comes to an internal network keeps its own way out, and nobody there gets one by it', async () => {
    await api.connect('inner', 'first1');
    await expectReaches(
      ['first1', addressesOf('outside', 'inner1'), true],
      ['inner1', addressesOf('first1'), false],
    );
    await api.disconnect('inner', 'first1');
  });

  test('networks that may not talk keep quiet for those who come and go, and when the daemon is killed', async () => {
    await api.run('quiet3', 'quiet', { Cmd: ['httpd', '-f', '-p', '80', '-h', '/www'] });
    await api.connect('quiet', 'second1');
    await lab.engine.restart('SIGKILL');
    const seats = [await api.endpoint('quiet3', 'quiet'), await api.endpoint('second1', 'quiet')];
    const addresses = seats.flatMap(({ IPAddress, GlobalIPv6Address }) => [IPAddress, GlobalIPv6Address]);
    await expectReaches(['quiet1', addresses, false], ['host', addresses, true]);
    await api.disconnect('quiet', 'second1');
    await api.removeContainers('quiet3');
  });
});

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import type { NetworkConnectRequest, NetworkCreateRequest } from '../client/types.ts';
import { failWith } from '../testing/fake-daemon.ts';
import { runCommand } from '../testing/run-command.ts';

const done = (_request: unknown, response: ServerResponse) => void response.writeHead(204).end();

describe('network create', () => {
  const created = { 'POST /networks/create': { Id: 'abc', Warning: '' } };
  const sent = async (...argv: string[]) =>
    JSON.parse((await runCommand(created, 'network create', argv)).bodies[0]!) as NetworkCreateRequest;

  test('prints the id, and the warning beside it', async () => {
    const plain = await runCommand(created, 'network create', ['shop']);
    assert.deepEqual([plain.code, plain.stdout, plain.stderr], [0, 'abc\n', '']);
    const warned = await runCommand(
      { 'POST /networks/create': { Id: 'abc', Warning: 'careful' } },
      'network create',
      ['shop'],
    );
    assert.deepEqual([warned.stdout, warned.stderr], ['abc\n', 'seaway: warning: careful\n']);
  });

  test('leaves open what was not asked for', async () => {
    assert.deepEqual(await sent('shop'), {
      Name: 'shop',
      Driver: 'bridge',
      Scope: '',
      IPAM: { Driver: 'default', Options: {}, Config: [] },
      Internal: false,
      Attachable: false,
      Ingress: false,
      ConfigOnly: false,
      ConfigFrom: null,
      Options: {},
      Labels: {},
    });
  });

  test('passes on everything', async () => {
    const argv =
      '--attachable --aux-address r=10.0.0.9 --aux-address q=10.1.0.9 --config-from t --config-only -d macvlan ' +
      '--gateway 10.0.0.1 --ingress --internal --ip-range 10.0.0.128/25 --ipam-driver mine --ipam-opt i=j ' +
      '--ipv4=false --ipv6 --label x=y --label z -o a=b=c -o d --scope local --subnet 10.0.0.0/24,10.1.0.0/24 shop';
    assert.deepEqual(await sent(...argv.split(' ')), {
      Name: 'shop',
      Driver: 'macvlan',
      Scope: 'local',
      EnableIPv4: false,
      EnableIPv6: true,
      IPAM: {
        Driver: 'mine',
        Options: { i: 'j' },
        Config: [
          {
            Subnet: '10.0.0.0/24',
            IPRange: '10.0.0.128/25',
            Gateway: '10.0.0.1',
            AuxiliaryAddresses: { r: '10.0.0.9' },
          },
          { Subnet: '10.1.0.0/24', AuxiliaryAddresses: { q: '10.1.0.9' } },
        ],
      },
      Internal: true,
      Attachable: true,
      Ingress: true,
      ConfigOnly: true,
      ConfigFrom: { Network: 't' },
      Options: { a: 'b=c', d: '' },
      Labels: { x: 'y', z: '' },
    });
  });

  test('puts addresses to the subnet around them, in both families', async () => {
    const argv =
      '--subnet fd00::/64 --subnet 10.0.0.0/24 --gateway 10.0.0.1 --gateway fd00::1 --ip-range fd00::80/121';
    assert.deepEqual((await sent(...argv.split(' '), 'shop')).IPAM.Config, [
      { Subnet: 'fd00::/64', IPRange: 'fd00::80/121', Gateway: 'fd00::1' },
      { Subnet: '10.0.0.0/24', Gateway: '10.0.0.1' },
    ]);
    assert.deepEqual((await sent('--subnet', 'junk', 'shop')).IPAM.Config, [{ Subnet: 'junk' }]);
  });

  for (const [argv, message] of [
    ['--gateway 10.0.0.1', 'every ip-range or gateway must have a corresponding subnet'],
    [
      '--subnet 10.0.0.0/24 --subnet 10.0.0.0/16',
      'multiple overlapping subnet configuration is not supported',
    ],
    [
      '--subnet 10.0.0.0/16 --subnet 10.0.4.0/24',
      'multiple overlapping subnet configuration is not supported',
    ],
    ['--subnet 10.0.0.0/24 --gateway 10.1.0.1', 'no matching subnet for gateway 10.1.0.1'],
    ['--subnet 10.0.0.0/24 --gateway junk', 'no matching subnet for gateway junk'],
    ['--subnet 10.0.0.0/24 --gateway fd00::1', 'no matching subnet for gateway fd00::1'],
    ['--subnet 10.0.0.0/24 --ip-range 10.1.0.0/25', 'no matching subnet for range 10.1.0.0/25'],
    ['--subnet 10.0.0.0/24 --ip-range junk', 'no matching subnet for range junk'],
    ['--subnet 10.0.0.0/24 --aux-address r=10.1.0.9', 'no matching subnet for aux-address 10.1.0.9'],
    ['--subnet 10.0.0.0/24 --aux-address r', 'no matching subnet for aux-address '],
    ['--aux-address r=10.1.0.9', 'no matching subnet for aux-address 10.1.0.9'],
    [
      '--subnet 10.0.0.0/24,10.2.0.0/24 --gateway 10.0.0.1,10.0.0.2',
      'cannot configure multiple gateways (10.0.0.2, 10.0.0.1) for the same subnet (10.0.0.0/24)',
    ],
    [
      '--subnet 10.0.0.0/24,10.2.0.0/24 --ip-range 10.0.0.0/25,10.0.0.128/25',
      'cannot configure multiple ranges (10.0.0.128/25, 10.0.0.0/25) on the same subnet (10.0.0.0/24)',
    ],
  ] as const) {
    test(`refuses ${argv}`, () => assert.rejects(sent(...argv.split(' '), 'shop'), { message, exitCode: 1 }));
  }

  test('takes exactly one name, and labels with one', async () => {
    await assert.rejects(sent(), { exitCode: 1 });
    await assert.rejects(sent('a', 'b'), { exitCode: 1 });
    await assert.rejects(sent('--label', '=x', 'a'), { exitCode: 125 });
    await assert.rejects(sent('--nope', 'a'), { exitCode: 125 });
  });

  test("fails with the daemon's words and 1", async () => {
    const table = { 'POST /networks/create': failWith(409, 'network with name shop already exists') };
    const failure = await runCommand(table, 'network create', ['shop']).catch((error: unknown) => error);
    assert.equal((failure as Error).message, 'network with name shop already exists');
    assert.equal((failure as { exitCode?: number }).exitCode, undefined, 'which the program ends with 1 for');
  });
});

describe('network connect', () => {
  const table = { 'POST /networks/a%2Fb/connect': done };
  const sent = async (...argv: string[]) =>
    JSON.parse((await runCommand(table, 'network connect', argv)).bodies[0]!) as NetworkConnectRequest;

  test('says nothing when it worked', async () => {
    const { code, stdout, stderr, requests } = await runCommand(table, 'network connect', ['a/b', 'web']);
    assert.deepEqual([code, stdout, stderr], [0, '', '']);
    assert.deepEqual(requests, ['POST /networks/a/b/connect']);
  });

  test('passes on everything', async () => {
    assert.deepEqual((await sent('a/b', 'web')).EndpointConfig, {
      IPAMConfig: {},
      Links: [],
      Aliases: [],
      DriverOpts: {},
      GwPriority: 0,
    });
    const argv =
      '--ip 10.0.0.9 --ip6 fd00::9 --alias a,b --alias d --link x:y --link z --driver-opt a=b=c,d=e ' +
      '--gw-priority -3 --link-local-ip 169.254.1.1 a/b web';
    assert.deepEqual(await sent(...argv.split(' ')), {
      Container: 'web',
      EndpointConfig: {
        IPAMConfig: { IPv4Address: '10.0.0.9', IPv6Address: 'fd00::9', LinkLocalIPs: ['169.254.1.1'] },
        Links: ['x:y', 'z'],
        Aliases: ['a', 'b', 'd'],
        DriverOpts: { a: 'b=c', d: 'e' },
        GwPriority: -3,
      },
    });
  });

  for (const [argv, message, exitCode] of [
    ['--driver-opt junk a/b web', 'invalid key/value pair format in driver options', 1],
    ['--link a:b:c a/b web', 'invalid argument "a:b:c" for "--link" flag: bad format for links: a:b:c', 125],
    ['--gw-priority x a/b web', 'invalid argument "x" for "--gw-priority" flag: not a whole number', 125],
    ['a/b', "missing required argument 'CONTAINER'", 1],
  ] as const) {
    test(`refuses ${argv}`, () => assert.rejects(sent(...argv.split(' ')), { message, exitCode }));
  }
});

test('network disconnect sends what was asked for and says nothing', async () => {
  const table = { 'POST /networks/shop/disconnect': done };
  const plain = await runCommand(table, 'network disconnect', ['shop', 'web']);
  assert.deepEqual([plain.code, plain.stdout, plain.stderr], [0, '', '']);
  assert.deepEqual(JSON.parse(plain.bodies[0]!), { Container: 'web', Force: false });
  const forced = await runCommand(table, 'network disconnect', ['-f', 'shop', 'web']);
  assert.deepEqual(JSON.parse(forced.bodies[0]!), { Container: 'web', Force: true });
  await assert.rejects(
    runCommand({ 'POST /networks/shop/disconnect': failWith(500, 'not there') }, 'network disconnect', [
      'shop',
      'web',
    ]),
    /^DaemonError: not there$/,
  );
});

describe('network rm', () => {
  const table = {
    'DELETE /networks/a': done,
    'DELETE /networks/nope': failWith(404, 'network nope not found'),
    'DELETE /networks/busy': failWith(403, 'busy has active endpoints'),
    'DELETE /networks/c': done,
  };

  test('prints what went, and goes on after a failure', async () => {
    const { code, stdout, stderr } = await runCommand(table, 'network rm', ['a', 'nope', 'busy', 'c']);
    assert.deepEqual([code, stdout], [1, 'a\nc\n']);
    assert.equal(stderr, 'seaway: network nope not found\nseaway: busy has active endpoints\n');
  });

  test('by force does not miss what is not there', async () => {
    const { code, stdout, stderr } = await runCommand(table, 'network rm', ['-f', 'a', 'nope', 'c']);
    assert.deepEqual([code, stdout, stderr], [0, 'a\nc\n', '']);
    assert.equal((await runCommand(table, 'network rm', ['-f', 'busy'])).code, 1);
  });
});

describe('network prune', () => {
  const table = { 'POST /networks/prune': { NetworksDeleted: ['a', 'b'] } };
  const question =
    'WARNING! This will remove all custom networks not used by at least one container.\n' +
    'Are you sure you want to continue? [y/N] ';
  const deleted = 'Deleted Networks:\na\nb\n\n';

  for (const [answer, isDone] of [
    ['y\n', true],
    [' Y \nn\n', true],
    ['n\n', false],
    ['yes\n', false],
    ['\n', false],
    ['', false],
  ] as const) {
    test(`asks first, and ${isDone ? 'goes on' : 'stops'} on ${JSON.stringify(answer)}`, async () => {
      const { code, stdout, requests } = await runCommand(table, 'network prune', [], answer);
      assert.equal(code, 0);
      assert.equal(stdout, isDone ? question + deleted : question);
      assert.deepEqual(requests, isDone ? ['POST /networks/prune'] : []);
    });
  }

  test('does not ask with -f', async () => {
    const argv = ['-f', '--filter', 'until=1h', '--filter', 'label=a', '--filter', 'label!=b=c'];
    const { stdout, requests } = await runCommand(table, 'network prune', argv);
    assert.equal(stdout, deleted);
    assert.deepEqual(requests, [
      'POST /networks/prune?filters={"until":{"1h":true},"label":{"a":true},"label!":{"b=c":true}}',
    ]);
  });

  test('says nothing where there was nothing', async () => {
    for (const NetworksDeleted of [null, []]) {
      assert.equal(
        (await runCommand({ 'POST /networks/prune': { NetworksDeleted } }, 'network prune', ['-f'])).stdout,
        '',
      );
    }
  });

  test('refuses a filter that is none', () =>
    assert.rejects(runCommand(table, 'network prune', ['-f', '--filter', 'junk']), { exitCode: 125 }));
});

test('network inspect can ask for more', async () => {
  const table = { 'GET /networks/shop': { Name: 'shop' } };
  const asked = async (...argv: string[]) => (await runCommand(table, 'network inspect', argv)).requests;
  assert.deepEqual(await asked('shop'), ['GET /networks/shop']);
  assert.deepEqual(await asked('-v', 'shop'), ['GET /networks/shop?verbose=1']);
});
